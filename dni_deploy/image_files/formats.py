"""Which image files are written and read, by their suffixes, and what each format can hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dni_runtime import OutputError


@dataclass(frozen=True, slots=True)
class Format:
    """What files of a format hold.

    name:         as Pillow calls it.
    dtypes:       of pixels.
    animation:    several pictures, each with its time. `pages`: several pictures, of any sizes.
    always_loses: pixels never come back as they were.
    beside:       which of the fields of `Tags` it has a place for.
    """

    name: str
    opacity: bool = True
    dtypes: tuple[str, ...] = ("uint8",)
    animation: bool = False
    pages: bool = False
    always_loses: bool = False
    longest_side: int = 2**31 - 1
    largest_bytes: float = math.inf
    beside: tuple[str, ...] = ("icc", "exif", "xmp")


_BMP = Format("BMP", opacity=False, largest_bytes=2**32, beside=("dpi",))
_JPEG = Format(
    "JPEG",
    opacity=False,
    always_loses=True,
    longest_side=65_500,
    beside=("icc", "exif", "xmp", "comment", "dpi", "app13"),
)
_PNG = Format(
    "PNG",
    dtypes=("uint8", "uint16"),
    animation=True,
    beside=("icc", "exif", "xmp", "comment", "dpi", "chunks"),
)
_TIFF = Format(
    "TIFF",
    dtypes=("uint8", "uint16", "float32"),
    pages=True,
    largest_bytes=2**32,
    beside=("icc", "exif", "xmp", "dpi"),
)
_WEBP = Format("WEBP", animation=True, longest_side=16_383)
# Of AVIF Pillow does not write the one kind that loses nothing (RGB as it is).
_AVIF = Format("AVIF", animation=True, always_loses=True, longest_side=65_536)

FORMATS = {
    ".avif": _AVIF,
    ".bmp": _BMP,
    ".jpeg": _JPEG,
    ".jpg": _JPEG,
    ".png": _PNG,
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".webp": _WEBP,
}
IMAGE_SUFFIXES = frozenset(FORMATS)
"""Suffixes, in lower case, of the files that are both read and written."""

FILM_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"})
"""Suffixes, in lower case, by which films are known that were given as images."""

READ_SUFFIXES = IMAGE_SUFFIXES | {
    ".apng", ".dib", ".gif", ".heic", ".heif", ".hif", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe", ".jpf", ".jpx",
    ".mpo",
}  # fmt: skip
"""Suffixes, in lower case, of all files that are read; what is not written becomes PNG."""

SUFFIXES = {"png": ".png", "jpg": ".jpg", "webp": ".webp", "tiff": ".tiff", "avif": ".avif"}
"""The names of formats on the command line, each with its suffix."""


def format_at(path: Path) -> Format:
    """The format that `path` is written in. Raises OutputError for an unknown suffix."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise OutputError(f"{path} has the suffix {path.suffix!r}; expected one of {', '.join(sorted(IMAGE_SUFFIXES))}")
    return FORMATS[suffix]


def check_holds(
    path: Path, format_: Format, size: tuple[int, ...], *, dtype: npt.DTypeLike, channels: int, opaque: bool = False
) -> None:
    """Raise OutputError where a picture of `size` (H, W) cannot become `path`.

    channels: 4 with opacity; `opaque`: which is full everywhere, so that it can be left out.
    """
    height, width = size
    name, itemsize = format_.name, np.dtype(dtype).itemsize
    if channels == 4 and not format_.opacity and not opaque:
        raise OutputError(f"{path} cannot be written: {name} holds no opacity; write .png or .webp")
    if np.dtype(dtype).name not in format_.dtypes:
        wide = np.issubdtype(dtype, np.floating)
        kind, instead = ("floating-point image", ".tif") if wide else ("16-bit image of this kind", ".png")
        raise OutputError(f"{path} cannot be written: {name} holds no {kind}; write {instead}")
    if max(height, width) > format_.longest_side or height * width * channels * itemsize >= format_.largest_bytes:
        raise OutputError(f"{path} cannot be written: {width}x{height} pixels are too many for {name}; write .png")


def is_opaque(picture: npt.NDArray[Any]) -> bool:
    """Whether a picture (H, W[, C]) has no opacity, or one that is full everywhere."""
    if picture.ndim != 3 or picture.shape[2] != 4:
        return True
    full = 1.0 if np.issubdtype(picture.dtype, np.floating) else np.iinfo(picture.dtype).max
    return bool(picture[:, :, 3].min() >= full)
