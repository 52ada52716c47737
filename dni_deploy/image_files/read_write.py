"""Image files as the arrays that `Model.enhance` takes, and back; nothing is lost silently on the way."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import logging
import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError, _imaging

from dni_runtime import DniError, InputError, OutputError
from dni_runtime.files.regular_file import open_file
from dni_runtime.files.unfinished import unfinished_file

from .parts import check_parts
from .png_16_bit import write_color
from .samples import read_samples

# Suffix -> Pillow's format and how to save it. JPEG's default halves the resolution of colour, just the kind
# of damage that the networks are meant to undo (WebP cannot do without).
_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".bmp": ("BMP", {}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".png": ("PNG", {}),
    ".tif": ("TIFF", {"compression": "tiff_lzw"}),
    ".tiff": ("TIFF", {"compression": "tiff_lzw"}),
    ".webp": ("WEBP", {"quality": 95}),
}
IMAGE_SUFFIXES = frozenset(_FORMATS)
"""Suffixes, in lower case, of the files that are both read and written."""

# Pillow decodes by content: without this list .jpg files may be EPS, which Ghostscript runs, or 40 other kinds.
IMAGE_FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")
"""Pillow's names of the formats that are read, whatever a file is called."""

_EXIF_ORIENTATION = 0x0112
_NO_OPACITY = ("BMP", "JPEG")
_SIXTEEN_BITS = ("PNG", "TIFF")
_LONGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383, "PNG": 2**31 - 1}
_LARGEST_BYTES = {"BMP": 2**32, "TIFF": 2**32}
# The pixels that are allowed (Pillow's limit, 89 million) take 716 MB with four channels of 16 bits.
_FILE_LIMIT_BYTES = 2**30


def read_image(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """Read a BMP, JPEG, PNG, TIFF or WebP file, told by its content; the first frame, turned upright (EXIF).

    Returns uint8, or uint16 for 16-bit PNG and for grey TIFF of 12 or 16 bits (12 are spread over 16): (H, W) grey,
    (H, W, 3) RGB, or (H, W, 4) RGB and opacity. Palettes, CMYK and the like become RGB. Colour profiles are not
    applied. At most 89 million pixels (Pillow's limit, `PIL.Image.MAX_IMAGE_PIXELS`), which is checked before there is
    memory for them.

    Raises InputError if the file is missing, no file, no image of these kinds, damaged, or would lose precision.
    """
    path = Path(path)
    try:
        file = open_file(path)
    except OSError as error:
        raise InputError(f"{path} {error.strerror}; expected an image file") from None
    with file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged tags; damaged pixels are an error by themselves
        try:
            if (size := os.fstat(file.fileno()).st_size) > _FILE_LIMIT_BYTES:
                raise InputError(f"{path} has {size >> 20} MiB; expected at most {_FILE_LIMIT_BYTES >> 20}")
            return _read(path, file, size)
        except DniError:
            raise
        except Image.DecompressionBombError:
            raise _too_large(path) from None
        except UnidentifiedImageError:
            names = ", ".join(IMAGE_FORMATS)
            raise InputError(
                f"{path} is not an image of a kind that is read ({names}), or is damaged; save it as PNG"
            ) from None
        except MemoryError:
            raise InputError(f"{path} takes more memory than there is; cut it into smaller images") from None
        except Exception as error:  # a decoder that is given damaged bytes fails in any way
            raise InputError(f"{path} is damaged or cannot be read ({why(error)})") from None


def _read(path: Path, file: BinaryIO, size_bytes: int) -> npt.NDArray[Any]:
    _silence_libtiff()
    stream: Any = _NoDescriptor(file)
    check_parts(stream, size_bytes)
    with Image.open(stream, formats=IMAGE_FORMATS) as image:
        if image.width * image.height > (Image.MAX_IMAGE_PIXELS or math.inf):
            raise _too_large(path)
        pixels = read_samples(path, stream, image)
        orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    return _turn_upright(pixels, orientation)


class _NoDescriptor:
    """A file to read, without its number: libtiff would map it into memory, and a process that has mapped a file is
    killed when another one shortens it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def check_writable(path: Path, size: tuple[int, ...], like: npt.NDArray[Any]) -> None:
    """Raise OutputError where an image of `size` (H, W) with channels and dtype as `like` cannot become `path`."""
    height, width = size
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise OutputError(f"{path} has the suffix {path.suffix!r}; expected one of {', '.join(sorted(IMAGE_SUFFIXES))}")
    name, _ = _FORMATS[suffix]
    channels = like.shape[2] if like.ndim == 3 else 1
    if channels == 4 and name in _NO_OPACITY:
        raise OutputError(f"{path} cannot be written: {name} holds no opacity; write .png or .webp")
    if like.dtype == np.uint16 and (name not in _SIXTEEN_BITS or (name == "TIFF" and channels > 1)):
        raise OutputError(f"{path} cannot be written: {name} holds no 16-bit image of this kind; write .png")
    too_long = max(height, width) > _LONGEST_SIDE.get(name, 2**31 - 1)
    if too_long or height * width * channels * like.itemsize >= _LARGEST_BYTES.get(name, math.inf):
        raise OutputError(f"{path} cannot be written: {width}x{height} pixels are too many for {name}; write .png")


def write_image(
    path: str | os.PathLike[str],
    image: npt.NDArray[Any],
    *,
    replace: bool = True,
    before_naming: Callable[[Path], None] | None = None,
) -> None:
    """Write an image as `read_image` returns it; the suffix of `path` says which format.

    The file appears whole or not at all, and replaces one that is there, unless `replace` is False, which makes that an
    error. JPEG and WebP are written at quality 95. `before_naming`: called with the whole file, which still has a
    temporary name in the same folder.

    Raises OutputError for an unknown suffix, for opacity, 16 bits or a size in a format that does not have it, and if
    the file cannot be written.
    """
    path = Path(path)
    image = image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image
    check_writable(path, image.shape[:2], image)
    name, options = _FORMATS[path.suffix.lower()]
    try:
        with unfinished_file(path, replace=replace) as file:
            if image.dtype == np.uint16 and image.ndim == 3:
                write_color(file, image)
            else:
                Image.fromarray(np.ascontiguousarray(image)).save(file, name, **options)
            file.flush()
            if before_naming is not None:
                before_naming(Path(file.name))
    except DniError:
        raise
    except Exception as error:  # an encoder's, too
        raise OutputError(f"{path} cannot be written ({why(error)})") from None


def why(error: Exception) -> str:
    """What an error of a library says, in a word or a sentence."""
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    text = error.strerror if isinstance(error, OSError) else None
    return text or str(error).strip() or type(error).__name__


def _too_large(path: Path) -> InputError:
    limit = (Image.MAX_IMAGE_PIXELS or 0) // 1_000_000
    return InputError(f"{path} has more than {limit} million pixels; cut it into smaller images")


@functools.cache
def _silence_libtiff() -> None:
    """Keep libtiff, a part of Pillow, from writing to stderr what it says as an error, too."""
    with contextlib.suppress(OSError, AttributeError):  # not where libtiff is linked into Pillow
        # Found through Pillow's own library, so that it is the one that Pillow uses. For the process: there is no way
        # to say it for one thread, and redirecting file descriptor 2 would take the words of all others.
        handler = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
        handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        handler(None)


# Where nobody else handles them, Python prints them.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def _turn_upright(pixels: npt.NDArray[Any], orientation: object) -> npt.NDArray[Any]:
    """Undo the EXIF orientation (TIFF 6.0, tag 274): 2..4 mirror or turn, 5..8 swap the axes as well."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
