"""Image files of any kind that is read, told by their content: their pictures, and what they say beside them."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError, _imaging
from PIL.ImageFile import ImageFile as PillowFile

from dni_runtime import DniError, InputError
from dni_runtime.files.regular_file import open_file

from .beside.find import Found, find_tags, find_tags_of_heic, find_tags_of_tiff
from .decoding.deep_tiff import is_deep, kind_of, read_deep_pages, read_directories
from .decoding.heic import heic_channels, is_heic, open_heic, read_heic
from .decoding.opening import IMAGE_FORMATS, open_picture
from .decoding.parts import check_parts
from .decoding.pictures import Pictures, read_pictures
from .decoding.samples import kind_of_samples
from .errors import why
from .formats import FILM_SUFFIXES
from .image_file import ImageFile
from .png.chunks import Chunks, is_png

Source: TypeAlias = str | os.PathLike[str] | io.BytesIO
"""A file by its path, or what was read of one that has none, such as standard input."""

MAX_MEGAPIXELS = 200.0
"""The largest input by default, in millions of pixels of all its pictures: that of the largest cameras."""

# The pixels that are allowed take 1.6 GB with four channels of 16 bits.
_FILE_LIMIT_BYTES = 2**31
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Header:
    """What an image file says of itself before its pixels, upright.

    size:     (height, width).
    dtype:    of its pixels as they are read: uint8, uint16 or float32.
    channels: 1 grey, 3 RGB, 4 with opacity, which may be full everywhere.
    format:   its name, such as "PNG".
    """

    size: tuple[int, int]
    dtype: npt.DTypeLike
    channels: int
    format: str


def read_file(source: Source, *, max_megapixels: float | None = MAX_MEGAPIXELS, first_only: bool = False) -> ImageFile:
    """Read an image file; `read_image` tells what its pictures are.

    max_megapixels: of all pictures that are read, in millions of pixels, which is checked before there is memory for
                    them; None for as many as memory takes.
    first_only:     leave out all pictures but the first; the notes say how many.

    Raises InputError as `read_image` does.
    """
    limit = None if max_megapixels is None else round(max_megapixels * 1e6)
    return _guarded(source, lambda path, stream, size: _read(path, stream, size, limit, first_only))


def read_header(source: Source) -> Header:
    """What an image file says of itself, without reading pixels: some milliseconds. Raises InputError."""
    return _guarded(source, _read_header)


def _guarded(source: Source, read: Callable[[Path, Any, int], _T]) -> _T:
    """`read` with the path to name, a file without a number, and its size. All that it raises becomes InputError."""
    with _opened(source) as (path, file), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged tags; damaged pixels are an error by themselves
        _silence_libtiff()
        try:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            if size > _FILE_LIMIT_BYTES:
                raise InputError(f"{path} has {size >> 20} MiB; expected at most {_FILE_LIMIT_BYTES >> 20}")
            return read(path, _NoDescriptor(file), size)
        except DniError:
            raise
        except Image.DecompressionBombError:  # a limit of Pillow's own, on WebP and the frames of GIF
            raise InputError(f"{path} has more pixels than are read of its format; save it as PNG") from None
        except UnidentifiedImageError:
            if path.suffix.lower() in FILM_SUFFIXES:
                raise InputError(f"{path} is a film, which is for dni film; expected an image file") from None
            names = ", ".join((*IMAGE_FORMATS, "HEIC"))
            raise InputError(
                f"{path} is not an image of a kind that is read ({names}), or is damaged; save it as PNG"
            ) from None
        except MemoryError:
            raise InputError(f"{path} takes more memory than there is; cut it into smaller images") from None
        except Exception as error:  # a decoder that is given damaged bytes fails in any way
            raise InputError(f"{path} is damaged or cannot be read ({why(error)})") from None


@contextlib.contextmanager
def _opened(source: Source) -> Iterator[tuple[Path, IO[bytes]]]:
    if isinstance(source, io.BytesIO):
        yield Path("standard input"), source
        return
    path = Path(source)
    try:
        file = open_file(path)
    except OSError as error:
        raise InputError(f"{path} {error.strerror}; expected an image file") from None
    with file:
        yield path, file


class _NoDescriptor:
    """A file to read, without its number: libtiff would map it into memory, and a process that has mapped a file is
    killed when another one shortens it.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def _read(path: Path, stream: Any, size_bytes: int, limit: int | None, first_only: bool) -> ImageFile:
    directories = read_directories(stream)
    if any(map(is_deep, directories)):
        pages = read_deep_pages(path, stream, directories, limit=limit, first_only=first_only)
        return _put_together(pages, find_tags_of_tiff(directories[0], stream), "TIFF")
    if is_heic(stream):
        opened = open_heic(stream)
        return _put_together(read_heic(path, opened, limit), find_tags_of_heic(opened.info), "HEIC")
    with _opened_picture(stream, size_bytes) as (image, shown, chunks):
        # Before others of its pictures are, which may say other things.
        found = find_tags_of_tiff(directories[0], stream) if directories else find_tags(image, chunks)
        if directories:  # Pillow turns TIFFs upright by itself
            found.orientation = 1
        pictures = read_pictures(path, shown, image, limit=limit, first_only=first_only)
        return _put_together(pictures, found, image.format or "")


def _put_together(pictures: Pictures, found: Found, format_: str) -> ImageFile:
    upright = tuple(_turn_upright(pixels, found.orientation) for pixels in pictures.pixels)
    durations = tuple(pictures.durations_ms) if len(upright) > 1 else ()
    notes = tuple(dict.fromkeys([*pictures.notes, *found.notes]))
    return ImageFile(upright, durations, pictures.loop, found.tags, notes, format_, upright[0].shape[:2])


def _read_header(path: Path, stream: Any, size_bytes: int) -> Header:
    directories = read_directories(stream)
    if directories and is_deep(directories[0]):
        (height, width), dtype, channels = kind_of(directories[0])
        is_turned = find_tags_of_tiff(directories[0], stream).orientation >= 5
        return Header((width, height) if is_turned else (height, width), dtype, channels, "TIFF")
    if is_heic(stream):
        opened = open_heic(stream)
        return Header(opened.size[::-1], *heic_channels(opened), "HEIC")
    with _opened_picture(stream, size_bytes) as (image, shown, chunks):
        size = (image.height, image.width)
        if image.format != "TIFF" and find_tags(image, chunks).orientation >= 5:
            size = size[::-1]
        return Header(size, *kind_of_samples(shown, image), image.format or "")


@contextlib.contextmanager
def _opened_picture(stream: Any, size_bytes: int) -> Iterator[tuple[PillowFile, Any, Chunks | None]]:
    """What Pillow opened, the file as it was shown to it, and what was not of a PNG."""
    check_parts(stream, size_bytes)
    chunks = Chunks(stream) if is_png(stream) else None
    shown = stream if chunks is None else chunks.shown
    with open_picture(shown) as image:
        yield image, shown, chunks


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
