"""PNG files that Pillow cannot write: colours of 16 bits a channel, and animations whose every frame is there.

By zlib, with the one filter that NumPy computes in a step: 0.15 s a megapixel of 16 bits.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .chunks import SIGNATURE, Writable, write_chunk
from .stream import GREY, RGB, RGB_OPACITY

_COLORS = {1: GREY, 3: RGB, 4: RGB_OPACITY}
_UP = 2  # the filter: each byte less the one above it
_BAND_BYTES = 2**20
# Of 16 bits level 6 takes two to three times as long for 1 to 4 % fewer bytes: the lower half is mostly noise.
_LEVEL = {1: 6, 2: 1}
_KEEP, _SOURCE = 0, 0  # what becomes of a frame when the next is shown; how it lies over the one before


def write_png(
    file: Writable, pictures: Sequence[npt.NDArray[Any]], durations_ms: Sequence[float] = (), loop: int = 0
) -> None:
    """Write a picture, or several of one size, (H, W), (H, W, 3) or (H, W, 4) of uint8 or uint16."""
    height, width, *channels = pictures[0].shape
    color = _COLORS[channels[0] if channels else 1]
    file.write(SIGNATURE)
    write_chunk(file, b"IHDR", struct.pack(">2I5B", width, height, 8 * pictures[0].itemsize, color, 0, 0, 0))
    is_animation = len(pictures) > 1
    if is_animation:
        write_chunk(file, b"acTL", struct.pack(">2I", len(pictures), loop))
    number = 0
    for index, picture in enumerate(pictures):
        if is_animation:
            time = struct.pack(">2H", *_fraction(durations_ms[index]))
            start = struct.pack(">5I", number, width, height, 0, 0)
            write_chunk(file, b"fcTL", start + time + bytes([_KEEP, _SOURCE]))
            number += 1
        for content in _compressed(picture):
            if index == 0:
                write_chunk(file, b"IDAT", content)
            else:
                write_chunk(file, b"fdAT", struct.pack(">I", number) + content)
                number += 1
    write_chunk(file, b"IEND", b"")


def _fraction(duration_ms: float) -> tuple[int, int]:
    """Numerator and denominator, of 16 bits each, of the seconds that a frame is shown."""
    milliseconds = round(duration_ms)
    return (milliseconds, 1000) if milliseconds < 2**16 else (min(milliseconds // 1000, 2**16 - 1), 1)


def _compressed(picture: npt.NDArray[Any]) -> Iterator[bytes]:
    deflate = zlib.compressobj(_LEVEL[picture.itemsize])
    row_bytes = picture[0].nbytes
    above = np.zeros((1, row_bytes), np.uint8)
    rows = max(1, _BAND_BYTES // row_bytes)
    for top in range(0, len(picture), rows):
        part = picture[top : top + rows]
        part = part.astype(">u2" if part.itemsize == 2 else np.uint8).view(np.uint8).reshape(-1, row_bytes)
        lines = np.full((len(part), 1 + row_bytes), _UP, np.uint8)
        np.subtract(part, np.concatenate([above, part[:-1]]), out=lines[:, 1:])
        above = part[-1:]
        if content := deflate.compress(lines.data):
            yield content
    yield deflate.flush()
