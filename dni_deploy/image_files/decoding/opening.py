"""Image files as Pillow opens them, told by their content, whatever their size is: that is the caller's to check."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

# Pillow opens by content: without this list .jpg files may be EPS, which Ghostscript runs, or 40 other kinds. Not by
# Image.open, whose limit is half of what an upscaler makes of a photograph, for the process.
_KINDS: dict[str, tuple[Any, Any]] = {
    "PNG": (PngImagePlugin.PngImageFile, PngImagePlugin._accept),
    # Not Pillow's jpeg_factory, for which two lenses' or a gain map's pictures are pages.
    "JPEG": (JpegImagePlugin.JpegImageFile, JpegImagePlugin._accept),
    "WEBP": (WebPImagePlugin.WebPImageFile, WebPImagePlugin._accept),
    "TIFF": (TiffImagePlugin.TiffImageFile, TiffImagePlugin._accept),
    "GIF": (GifImagePlugin.GifImageFile, GifImagePlugin._accept),
    "BMP": (BmpImagePlugin.BmpImageFile, BmpImagePlugin._accept),
    "AVIF": (AvifImagePlugin.AvifImageFile, AvifImagePlugin._accept),
    "JPEG2000": (Jpeg2KImagePlugin.Jpeg2KImageFile, Jpeg2KImagePlugin._accept),
}
IMAGE_FORMATS = tuple(_KINDS)
"""Pillow's names of the formats that are read, whatever a file is called."""


def open_picture(stream: Any) -> ImageFile.ImageFile:
    """The image of a file, its pixels not read yet. Raises UnidentifiedImageError, and whatever Pillow does."""
    stream.seek(0)
    start = stream.read(16)
    for factory, accepts in _KINDS.values():
        if accepts(start) is True:
            with contextlib.suppress(SyntaxError, IndexError, TypeError, struct.error):  # as Image.open takes them
                stream.seek(0)
                image: ImageFile.ImageFile = factory(stream, "")
                return image
    raise UnidentifiedImageError
