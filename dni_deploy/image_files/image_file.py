"""What an image file holds: its pictures, and what it says beside them. And how one is to be written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from dni_runtime import InputError

from .formats import FORMATS, SUFFIXES, Format, format_at


@dataclass(frozen=True, slots=True)
class Tags:
    """What a file says beside its pixels, as the bytes that it says it with.

    icc:     the colour profile.
    exif:    a TIFF structure, without the "Exif" before it in a JPEG; its orientation is 1 and it has no thumbnail.
    xmp:     the packet.
    comment: of JPEG, GIF and JPEG 2000; the text of PNG that is called Comment.
    dpi:     pixels an inch, across and down.
    app13:   the contents of a JPEG's segments of that name: Photoshop's, with IPTC.
    chunks:  (kind, content) of the PNG chunks that are text, or say what its colours or its dpi are.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    comment: bytes | None = None
    dpi: tuple[float, float] | None = None
    app13: tuple[bytes, ...] = ()
    chunks: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file as `read_file` gives it and `write_file` takes it.

    pictures:     as `read_image` returns them, upright: the frames of an animation, the pages of a TIFF, mostly one.
    durations_ms: how long each is shown, of an animation; empty for pages and for one picture.
    loop:         how often an animation is shown, 0 for ever.
    tags:         what the file says beside its pixels.
    notes:        what was left out and why, each a few words that follow the file's name and a colon.
    format:       the name of what was read, such as "PNG"; "" where nothing was.
    size:         (H, W) of the first picture as it was read, None where nothing was. Where what is written has another
                  one, so has its EXIF.
    """

    pictures: tuple[npt.NDArray[Any], ...]
    durations_ms: tuple[float, ...] = ()
    loop: int = 0
    tags: Tags = Tags()
    notes: tuple[str, ...] = ()
    format: str = ""
    size: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Writing:
    """How image files are written.

    format:   "png", "jpg", "webp", "tiff", "avif" or "bmp"; None for what the suffix of a file says.
    quality:  1 to 100, of JPEG, WebP and AVIF; others lose nothing. None for 95.
    lossless: WebP loses nothing either, and JPEG and AVIF, which always do, are refused.
    strip:    nothing is written beside the pixels; they are shown as they were only where their colours are sRGB.

    Raises InputError for other values.
    """

    format: str | None = None
    quality: int | None = None
    lossless: bool = False
    strip: bool = False

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in SUFFIXES:
            raise InputError(f"the format is {self.format!r}; expected one of {', '.join(SUFFIXES)}")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise InputError(f"the quality is {self.quality}; expected 1 to 100")
        if self.quality is not None and self.lossless:
            raise InputError("a quality is for what loses something; give either --quality or --lossless")
        if self.lossless and self.suffix is not None and FORMATS[self.suffix].always_loses:
            raise InputError(f"{self.format} always loses something; expected png, tiff or webp for --lossless")

    @property
    def suffix(self) -> str | None:
        """What names of the format end in, such as ".png"; None without a format."""
        return None if self.format is None else SUFFIXES[self.format]

    def format_at(self, path: str | os.PathLike[str]) -> Format:
        """The format that `path` is written in. Raises OutputError for an unknown suffix."""
        return format_at(Path(path)) if self.suffix is None else FORMATS[self.suffix]


AS_USUAL = Writing()
"""What a suffix says, in the best quality that is usual."""
