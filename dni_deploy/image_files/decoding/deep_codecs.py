"""AVIF and JPEG 2000 files of more than 8 bits a channel, of which Pillow keeps 8 without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ImageFile

from dni_deploy.extras import import_imagecodecs
from dni_runtime import InputError

from .values import spread

# Where headers are; boxes before them are a profile at most.
_HEADER_BYTES = 2**22
_SIZ = b"\xff\x4f\xff\x51"


def read_deep_codec(path: Path, stream: Any, image: ImageFile.ImageFile) -> npt.NDArray[Any] | None:
    """The first picture, as `read_samples` gives it; None for a file that Pillow reads as it is.

    Raises DniError where the decoder is not installed.
    """
    bits, channels = codec_kind(stream, image.format)
    if bits <= 8 or (image.format != "AVIF" and channels == 1):
        return None
    codecs = import_imagecodecs(f"reading {image.format} files of {bits} bits a channel")
    stream.seek(0)
    content = stream.read()
    pixels = codecs.avif_decode(content, index=0) if image.format == "AVIF" else codecs.jpeg2k_decode(content)
    if pixels.dtype != np.uint16 or pixels.shape[:2] != (image.height, image.width):
        raise InputError(f"{path} is an {image.format} of a kind that is not read; save it as a 16-bit PNG")
    if image.format == "AVIF" and channels == 1 and pixels.ndim == 3 and pixels.shape[2] == 3:
        pixels = pixels[:, :, 0]
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        pixels = pixels[:, :, [0, 0, 0, 1]]
    return spread(pixels, bits)


def codec_kind(stream: Any, format_: str | None) -> tuple[int, int]:
    """Bits of a channel and how many channels an AVIF, without its opacity, or a JPEG 2000 has."""
    stream.seek(0)
    head = stream.read(_HEADER_BYTES)
    return _of_avif(head) if format_ == "AVIF" else _of_jpeg_2000(head)


def _of_avif(head: bytes) -> tuple[int, int]:
    """Bits and channels, 1 or 3, of the picture (AV1 in ISOBMFF 1.2, 2.3.3)."""
    at = head.find(b"av1C")
    flags = head[at + 6] if 0 <= at < len(head) - 6 else 0
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10, 1 if flags & 0x10 else 3


def _of_jpeg_2000(head: bytes) -> tuple[int, int]:
    """Bits and channels (ITU-T T.800, A.5.1)."""
    at = head.find(_SIZ)
    start = at + 2
    if at < 0 or len(head) < start + 40:
        return 8, 3
    channels = int.from_bytes(head[start + 36 + 2 : start + 38 + 2], "big")
    depths = head[start + 40 : start + 40 + 3 * channels : 3]
    return max(((depth & 0x7F) + 1 for depth in depths), default=8), channels
