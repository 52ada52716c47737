"""Image files as the arrays that `Model.enhance` takes, and back; nothing is lost silently on the way."""

import os
import re
import secrets
import warnings
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import png
from PIL import Image, TiffTags, UnidentifiedImageError

from dni_runtime import InputError, OutputError

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

_EXIF_ORIENTATION = 0x0112
_TOKEN_BYTES = 4
_NO_OPACITY = ("BMP", "JPEG")
_SIXTEEN_BITS = ("PNG", "TIFF")


def read_image(path: Path) -> npt.NDArray[Any]:
    """Read an image file of any kind that Pillow knows; the first frame, turned upright (EXIF).

    Returns uint8, or uint16 for 16-bit PNG and grey TIFF: (H, W) grey, (H, W, 3) RGB, or (H, W, 4) RGB and
    opacity. Palettes, CMYK and the like become RGB. Colour profiles are not applied.

    Raises InputError if the file is missing, no image, damaged, or would lose precision.
    """
    if not path.is_file():
        raise InputError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}; expected an image file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged tags; damaged pixels are an error by themselves
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                pixels = _read_16_bit_png(path) if _is_16_bit_color_png(path) else _to_array(path, image)
                return _turn_upright(pixels, image.getexif().get(_EXIF_ORIENTATION, 1))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        limit = (Image.MAX_IMAGE_PIXELS or 0) // 1_000_000
        raise InputError(f"{path} has more than {limit} million pixels; cut it into smaller images") from None
    except UnidentifiedImageError:
        raise InputError(f"{path} is not an image, or of a kind that is not supported") from None
    except (OSError, SyntaxError, ValueError, EOFError, png.Error, zlib.error) as error:
        raise InputError(f"{path} is damaged or cannot be read ({error})") from None


def write_image(path: Path, image: npt.NDArray[Any], *, before_naming: Callable[[Path], None] | None = None) -> None:
    """Write an image as `read_image` returns it; the suffix of `path` says which format.

    The file appears whole or not at all, and replaces one that is there. JPEG and WebP are written at quality
    95. `before_naming`: called with the whole file, which still has a temporary name in the same folder.

    Raises OutputError for an unknown suffix, for opacity or 16 bits in a format that has neither, and if the
    file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise OutputError(f"{path} has the suffix {path.suffix!r}; expected one of {', '.join(sorted(IMAGE_SUFFIXES))}")
    name, options = _FORMATS[suffix]
    image = image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image
    if image.ndim == 3 and image.shape[2] == 4 and name in _NO_OPACITY:
        raise OutputError(f"{path} cannot be written: {name} holds no opacity; write .png or .webp")
    wide_color = image.dtype == np.uint16 and image.ndim == 3
    if (image.dtype == np.uint16 and name not in _SIXTEEN_BITS) or (wide_color and name != "PNG"):
        raise OutputError(f"{path} cannot be written: {name} holds no 16-bit image of this kind; write .png")
    # In the same folder, because only there os.replace is one step. Opened by name, not by tempfile, whose
    # files nobody else may read.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(_TOKEN_BYTES)}.tmp")
    try:
        with open(temporary, "xb") as file:
            if wide_color:
                _write_16_bit_png(file, image)
            else:
                Image.fromarray(np.ascontiguousarray(image)).save(file, name, **options)
        if before_naming is not None:
            before_naming(temporary)
        os.replace(temporary, path)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be written ({error})") from None
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(paths: Iterable[Path]) -> None:
    """Remove what processes that were killed in `write_image` have left of `paths`."""
    ours = set(paths)
    for folder in {path.parent for path in ours}:
        for file in folder.glob(".*.tmp"):
            name, _, token = file.name[1:].removesuffix(".tmp").rpartition(".")
            if folder / name in ours and re.fullmatch(f"[0-9a-f]{{{2 * _TOKEN_BYTES}}}", token):
                file.unlink(missing_ok=True)


def _to_array(path: Path, image: Image.Image) -> npt.NDArray[Any]:
    if image.format == "TIFF" and image.mode in ("RGB", "RGBA"):
        bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (8,))
        if max(bits) > 8:  # Pillow would drop the lower bits without a word
            raise InputError(f"{path} is a TIFF with {max(bits)} bits a channel; save it as a 16-bit PNG")
    if image.mode.startswith("I"):
        pixels = np.array(image)
        if pixels.min() < 0 or pixels.max() > np.iinfo(np.uint16).max:
            raise InputError(f"{path} has values beyond 16 bits; expected 8 or 16 bits a channel")
        return pixels.astype(np.uint16)
    if image.mode == "F":
        raise InputError(f"{path} has floating-point values; expected 8 or 16 bits a channel")
    if image.has_transparency_data:
        return np.array(image.convert("RGBA"))
    return np.array(image.convert("L" if image.mode in ("1", "L") else "RGB"))


_BITS_PER_SAMPLE = next(number for number, tag in TiffTags.TAGS_V2.items() if tag.name == "BitsPerSample")


def _is_16_bit_color_png(path: Path) -> bool:
    """Whether Pillow would reduce the file to 8 bits; read off the header, since Pillow does not say."""
    with open(path, "rb") as file:
        header = file.read(26)
    is_png = header.startswith(b"\x89PNG\r\n\x1a\n")
    return is_png and len(header) == 26 and header[24] == 16 and header[25] != 0


def _read_16_bit_png(path: Path) -> npt.NDArray[np.uint16]:
    with open(path, "rb") as file:
        width, height, rows, info = png.Reader(file=file).read()
        pixels = np.empty((height, width, info["planes"]), np.uint16)
        for y, row in enumerate(rows):
            pixels[y] = np.asarray(row, np.uint16).reshape(width, -1)
    if info["planes"] == 2:
        return np.concatenate([np.repeat(pixels[:, :, :1], 3, axis=2), pixels[:, :, 1:]], axis=2)
    return pixels


def _write_16_bit_png(file: BinaryIO, image: npt.NDArray[Any]) -> None:
    height, width, channels = image.shape
    writer = png.Writer(width, height, greyscale=False, alpha=channels == 4, bitdepth=16)
    writer.write_packed(file, (row.tobytes() for row in image.astype(">u2")))


def _turn_upright(pixels: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Undo the EXIF orientation (TIFF 6.0, tag 274): 2..4 mirror or turn, 5..8 swap the axes as well."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
