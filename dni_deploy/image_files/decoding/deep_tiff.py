"""TIFF files of 16 bits in colours and of floating-point values, for which Pillow has no pixels, by tifffile."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL.TiffImagePlugin import COMPRESSION_INFO, ImageFileDirectory_v2

from dni_deploy.extras import import_tifffile
from dni_runtime import DniError

from .opening import open_picture
from .pictures import MASK, REDUCED, Pictures, check_size
from .samples import read_samples
from .values import divide_by_opacity, spread

Directories = list[ImageFileDirectory_v2]
_MOST_PAGES = 10_000
_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES = 254, 256, 257, 258, 259, 262, 277
_TILE_WIDTH, _TILE_HEIGHT, _EXTRA, _FORMAT = 322, 323, 338, 339
_UNSIGNED, _FLOAT = 1, 3
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_ASSOCIATED, _UNASSOCIATED = 1, 2
# Which it is set to for the process, and refuses twice as many.
_MOST_PIXELS_OF_PILLOW = 2 * 89_478_485
_LARGEST_TILE_PIXELS = 2**24
# Those of Pillow's that its own libtiff often has no decoder for.
_OTHERS = {50000, 50001, 34925}


def read_directories(stream: Any) -> Directories:
    """Those of all pages of a TIFF file, whatever Pillow makes of them; [] for another file."""
    stream.seek(0)
    start = stream.read(16)
    if start[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return []
    header = start if start[2:4] in (b"+\0", b"\0+") else start[:8]
    found: Directories = []
    left_bytes = stream.seek(0, os.SEEK_END)  # of all values: a byte that many directories point to counts for each
    place = ImageFileDirectory_v2(header).next
    places: set[int] = set()
    while place and place not in places and len(found) < _MOST_PAGES:
        places.add(place)
        directory = ImageFileDirectory_v2(header)
        directory.next, directory._tag_data_limit = 0, left_bytes
        stream.seek(place)
        directory.load(stream)
        if _WIDTH not in directory or _HEIGHT not in directory:
            break
        left_bytes -= directory._tag_data_size
        place = directory.next
        found.append(directory)
    return found


def is_deep(directory: ImageFileDirectory_v2) -> bool:
    """Whether a page is of a kind that Pillow has no pixels for, and tifffile has."""
    kind, bits, samples = _kind(directory)
    if directory.get(_PHOTOMETRIC, _BLACK_IS_ZERO) not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
        return False
    if kind == _FLOAT:
        return bits in (16, 32, 64)
    if directory[_WIDTH] * directory[_HEIGHT] > _MOST_PIXELS_OF_PILLOW:
        return bits in (8, 16)
    compression = directory.get(_COMPRESSION, 1)
    if kind != _UNSIGNED or bits > 16:
        return False
    if bits > 8:
        return samples > 1 or bits not in (12, 16) or compression not in COMPRESSION_INFO
    return bits == 8 and (compression in _OTHERS or compression not in COMPRESSION_INFO)


def kind_of(directory: ImageFileDirectory_v2) -> tuple[tuple[int, int], npt.DTypeLike, int]:
    """(H, W), dtype and channels of a page as it is read."""
    kind, bits, samples = _kind(directory)
    dtype: npt.DTypeLike = np.float32 if kind == _FLOAT else np.uint16 if bits > 8 else np.uint8
    colors = 3 if directory.get(_PHOTOMETRIC, _BLACK_IS_ZERO) == _RGB else 1
    channels = 4 if _opacity(directory) is not None and samples > colors else colors
    return (directory[_HEIGHT], directory[_WIDTH]), dtype, channels


def read_deep_pages(
    path: Path, stream: Any, directories: Directories, *, limit: int | None, first_only: bool
) -> Pictures:
    """The pages of a file of which one at least is deep, as `read_pictures` gives others.

    Raises DniError where tifffile or a codec that it needs is not installed, InputError for more than `limit` pixels.
    """
    tifffile = import_tifffile()
    stream.seek(0)
    logging.getLogger("tifffile").addHandler(logging.NullHandler())
    found, pixels = Pictures(), 0
    with tifffile.TiffFile(_Raw(stream)) as file:
        for number, directory in enumerate(directories):
            if number and directory.get(_SUBFILE, 0) & (REDUCED | MASK):
                found.notes.append("a smaller picture or mask of it left out")
                continue
            if first_only and found.pixels:
                found.notes.append(f"{len(directories) - 1} more pictures left out")
                break
            pixels += directory[_HEIGHT] * directory[_WIDTH]
            check_size(path, pixels, limit)
            if is_deep(directory):
                found.pixels.append(_read_page(file.pages[number], directory, found.notes))
            else:
                with open_picture(stream) as image:
                    image.seek(number)
                    found.pixels.append(read_samples(path, stream, image))
    return found


class _Raw(io.RawIOBase):
    """A stream with all that tifffile asks files for."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._stream.seek(offset, whence)
        return int(self._stream.tell())

    def tell(self) -> int:
        return int(self._stream.tell())

    def readinto(self, buffer: Any) -> int:
        content = self._stream.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def _kind(directory: ImageFileDirectory_v2) -> tuple[int, int, int]:
    """Format of the values, bits of one and how many a pixel has; 0 bits where they differ."""
    bits, formats = directory.get(_BITS, (1,)), directory.get(_FORMAT, (_UNSIGNED,))
    bits = bits if isinstance(bits, tuple) else (bits,)
    formats = formats if isinstance(formats, tuple) else (formats,)
    same = len(set(bits)) == 1 and len(set(formats)) == 1
    return formats[0], bits[0] if same else 0, int(directory.get(_SAMPLES, 1))


def _opacity(directory: ImageFileDirectory_v2) -> tuple[int, int] | None:
    """The place of opacity among the extra channels, and its kind."""
    extra = directory.get(_EXTRA, ())
    extra = extra if isinstance(extra, tuple) else (extra,)
    return next(((at, kind) for at, kind in enumerate(extra) if kind in (_ASSOCIATED, _UNASSOCIATED)), None)


def _read_page(page: Any, directory: ImageFileDirectory_v2, notes: list[str]) -> npt.NDArray[Any]:
    kind, bits, samples = _kind(directory)
    photometric, height, width = directory.get(_PHOTOMETRIC, _BLACK_IS_ZERO), directory[_HEIGHT], directory[_WIDTH]
    if directory.get(_TILE_WIDTH, 0) * directory.get(_TILE_HEIGHT, 0) > max(_LARGEST_TILE_PIXELS, height * width):
        raise ValueError("its tiles are larger than it is")
    colors, opacity = (3 if photometric == _RGB else 1), _opacity(directory)
    if samples < colors or (page.imagelength, page.imagewidth, page.samplesperpixel) != (height, width, samples):
        raise ValueError("its headers do not agree")
    if samples - colors - (opacity is not None):
        notes.append("channels that are neither colour nor opacity left out")
    chosen = [*range(colors), *([] if opacity is None else [colors + opacity[0]])]
    pixels = np.zeros(
        (height, width, len(chosen)), np.float32 if kind == _FLOAT else np.uint16 if bits > 8 else np.uint8
    )
    for part, top, left, plane in _segments(page):
        target = pixels[top : top + part.shape[0], left : left + part.shape[1]]
        part = part[: target.shape[0], : target.shape[1]]
        if part.shape[2] == samples:
            target[:] = spread(part[:, :, chosen], bits)
        elif plane in chosen:
            target[:, :, chosen.index(plane)] = spread(part[:, :, 0], bits)
    most = 1 if kind == _FLOAT else np.iinfo(pixels.dtype).max
    if photometric == _WHITE_IS_ZERO:
        pixels[:, :, 0] = most - pixels[:, :, 0]
    if opacity is not None and opacity[1] == _ASSOCIATED:
        divide_by_opacity(pixels)
    if colors == 1:
        return pixels[:, :, [0, 0, 0, 1]] if opacity is not None else pixels[:, :, 0]
    return pixels


def _segments(page: Any) -> Iterator[tuple[npt.NDArray[Any], int, int, int]]:
    """Strips or tiles (h, w, C), each with its place and, where each has one channel, the number of that."""
    count = 1
    for each in page.chunked:
        count *= each
    if len(page.dataoffsets) < count or len(page.databytecounts) < count:
        raise ValueError("parts of its pixels are missing")
    try:
        for part, (plane, _, top, left, _), shape in page.segments(maxworkers=1, _fullsize=False):
            if part is None or part.shape[1] < min(shape[1], page.imagelength - top):
                raise ValueError("parts of its pixels are missing")
            yield part[0], top, left, plane
    except (ValueError, KeyError) as error:
        if "imagecodecs" in str(error):
            raise DniError(
                f"reading TIFF files compressed by {page.compression.name} needs imagecodecs, which is not installed: "
                'pip install "dni-deploy[photographs]"'
            ) from None
        raise
