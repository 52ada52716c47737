"""TIFF files of 8 and 16 bits and of floating-point values, with any number of pages; without a loss."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from dni_deploy.image_files.image_file import Tags

from .directories import (
    BYTE,
    LONG,
    RATIONAL,
    SHORT,
    UNDEFINED,
    Directory,
    Value,
    order_of,
    pack_directory,
    read_directory,
)

_STRIP_BYTES = 2**20
# As small as LZW and faster; of 16 bits and floats the lower half is mostly noise, which takes time and gives nothing.
_LEVEL = 4
_DEFLATE, _GREY, _RGB, _PREDICTED, _UNASSOCIATED, _FLOAT, _PAGE = 8, 1, 2, 2, 2, 3, 2
_COMPRESSION, _PHOTOMETRIC, _OFFSETS, _COUNTS, _ICC, _XMP = 259, 262, 273, 279, 34675, 700
# What the pixels of another file were laid out by, and what is written here in other ways.
_OF_PIXELS = {*range(254, 260), *range(262, 267), *range(273, 282), 284, 288, 289, 290, 291, 301}
_OF_PIXELS |= {*range(317, 326), 330, 332, 333, 336, 338, 339, 340, 341, *range(512, 533), _XMP, _ICC}


def write_tiff(file: BinaryIO, pictures: Iterable[npt.NDArray[Any]], tags: Tags) -> None:
    """Write pictures (H, W), (H, W, 3) or (H, W, 4) of uint8, uint16 or float32, each as a page."""
    order = "<" if tags.exif is None else order_of(tags.exif)
    file.write((b"II*\0" if order == "<" else b"MM\0*") + bytes(4))
    pointer = 4
    pages = list(pictures)
    for number, picture in enumerate(pages):
        directory = _layout(picture, order) | _strips(file, picture, order)
        if len(pages) > 1:
            directory[254] = _number(_PAGE, order, LONG)
        if number == 0:
            directory = _beside(tags, order) | directory
        file.write(bytes(file.tell() % 2))
        at = file.tell()
        file.write(pack_directory(directory, order, at))
        end = file.tell()
        file.seek(pointer)
        file.write(struct.pack(f"{order}I", at))
        file.seek(end)
        pointer = at + 2 + 12 * len(directory)


def _number(value: int, order: str, kind: int = SHORT) -> Value:
    return _numbers([value], order, kind)


def _numbers(values: list[int], order: str, kind: int = SHORT) -> Value:
    return Value(kind, len(values), struct.pack(f"{order}{len(values)}{'H' if kind == SHORT else 'I'}", *values))


def _layout(picture: npt.NDArray[Any], order: str) -> Directory:
    height, width = picture.shape[:2]
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    is_float = picture.dtype == np.float32
    result = {
        256: _number(width, order, LONG),
        257: _number(height, order, LONG),
        258: _numbers([picture.itemsize * 8] * channels, order),
        _COMPRESSION: _number(_DEFLATE, order),
        _PHOTOMETRIC: _number(_GREY if channels == 1 else _RGB, order),
        277: _number(channels, order),
        284: _number(1, order),
    }
    if channels == 4:
        result[338] = _number(_UNASSOCIATED, order)
    if is_float:
        result[339] = _numbers([_FLOAT] * channels, order)
    else:
        result[317] = _number(_PREDICTED, order)
    return result


def _strips(file: BinaryIO, picture: npt.NDArray[Any], order: str) -> Directory:
    rows = max(1, _STRIP_BYTES // (picture.nbytes // len(picture)))
    offsets, counts = [], []
    for top in range(0, len(picture), rows):
        part = picture[top : top + rows]
        if part.dtype != np.float32:  # each less the one to its left
            part = np.concatenate([part[:, :1], part[:, 1:] - part[:, :-1]], axis=1)
        content = zlib.compress(part.astype(f"{order}{part.dtype.str[1:]}").tobytes(), _LEVEL)
        offsets.append(file.tell())
        counts.append(len(content))
        file.write(content)
    return {
        _OFFSETS: _numbers(offsets, order, LONG),
        278: _number(min(rows, len(picture)), order, LONG),
        _COUNTS: _numbers(counts, order, LONG),
    }


def _beside(tags: Tags, order: str) -> Directory:
    result: Directory = {}
    if (exif := tags.exif) is not None:
        (at,) = struct.unpack(f"{order}I", exif[4:8])
        found = read_directory(lambda place, size: exif[place : place + size], order, at)
        result |= {tag: value for tag, value in found.items() if tag not in _OF_PIXELS}
    if tags.icc is not None:
        result[_ICC] = Value(UNDEFINED, len(tags.icc), tags.icc)
    if tags.xmp is not None:
        result[_XMP] = Value(BYTE, len(tags.xmp), tags.xmp)
    if tags.dpi is not None:
        for tag, dpi in zip((282, 283), tags.dpi, strict=True):
            value = Fraction(dpi).limit_denominator(10_000)
            result[tag] = Value(RATIONAL, 1, struct.pack(f"{order}2I", value.numerator, value.denominator))
        result[296] = _number(2, order)
    return result
