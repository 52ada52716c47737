"""Image files as the arrays that `Model.enhance` takes, and back; nothing is lost silently on the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy.typing as npt

from dni_runtime.images.conversion import check_image

from .decoding.opening import IMAGE_FORMATS
from .errors import why
from .formats import IMAGE_SUFFIXES
from .image_file import ImageFile, Tags, Writing
from .reading import MAX_MEGAPIXELS, read_file
from .writing import check_writable, write_file

__all__ = ["IMAGE_FORMATS", "IMAGE_SUFFIXES", "check_writable", "read_image", "why", "write_image"]


def read_image(path: str | os.PathLike[str], *, max_megapixels: float | None = MAX_MEGAPIXELS) -> npt.NDArray[Any]:
    """Read the first picture of an image file, told by its content, turned upright (EXIF).

    JPEG, PNG, TIFF, WebP, GIF, BMP, AVIF and JPEG 2000; HEIC, floating-point TIFF, and colours of more than 8 bits in
    TIFF, AVIF and JPEG 2000 with the extra `photographs`.

    Returns (H, W) grey, (H, W, 3) RGB, or (H, W, 4) RGB and opacity, uint8; uint16 of files of 9 to 16 bits, spread
    over all 16; float32 of floating-point TIFF, where 0 is black and 1 white. Palettes, CMYK and the like become RGB.
    Colour profiles are not applied. `max_megapixels`: the most pixels, in millions, which is checked before there is
    memory for them; None for as many as memory takes.

    Raises InputError if the file is missing, no file, no image of these kinds, damaged, too large, or would lose
    precision, DniError where the extra is missing.
    """
    return read_file(path, max_megapixels=max_megapixels, first_only=True).pictures[0]


def write_image(
    path: str | os.PathLike[str],
    image: npt.NDArray[Any],
    *,
    tags: Tags | None = None,
    quality: int | None = None,
    lossless: bool = False,
    replace: bool = True,
    before_naming: Callable[[Path], None] | None = None,
) -> None:
    """Write an image as `read_image` returns it; the suffix of `path` says which format.

    The file appears whole or not at all, and replaces one that is there, unless `replace` is False, which makes that an
    error. `quality`: of JPEG, WebP and AVIF, 1 to 100; None for 95. `lossless`: WebP loses nothing.
    `before_naming`: called with the whole file, which still has a temporary name in the same folder.

    Raises InputError for what is no image; OutputError for an unknown suffix, for opacity, 16 bits, floats or a size in
    a format that does not have it, and if the file cannot be written.
    """
    check_image(image)
    file = ImageFile((image,), tags=tags or Tags())
    writing = Writing(quality=quality, lossless=lossless)
    write_file(Path(path), file, writing, replace=replace, before_naming=before_naming)
