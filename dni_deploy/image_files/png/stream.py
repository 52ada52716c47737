"""What the header of a PNG file promises, and whether the compressed pixels keep it.

Pillow does not compare the two: where the pixels end too early the rest of its image is black, and it skips their
checksums. So they are inflated here once more, in pieces that are thrown away: memory does not depend on the file,
and 24 megabytes of pixels (8 megapixels) take 0.1 s.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

GREY, RGB, PALETTE, GREY_OPACITY, RGB_OPACITY = 0, 2, 3, 4, 6
_CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_OPACITY: 2, RGB_OPACITY: 4}
_PIECE_BYTES = 2**16
# Adam7: the first column and row of each pass, and the steps from one to the next.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


@dataclass(frozen=True, slots=True)
class PngHeader:
    """`bits`: of one channel. `color`: GREY and so on."""

    width: int
    height: int
    bits: int
    color: int
    interlaced: bool

    @property
    def pixel_bytes(self) -> int:
        """How many bytes the pixels are once they are inflated."""
        total = 0
        for left, top, right, down in _PASSES if self.interlaced else ((0, 0, 1, 1),):
            columns, rows = -(-(self.width - left) // right), -(-(self.height - top) // down)
            if columns > 0 and rows > 0:
                total += rows * (1 + (columns * _CHANNELS[self.color] * self.bits + 7) // 8)
        return total


def read_header(file: IO[bytes]) -> PngHeader:
    """The header of a file that Pillow has taken for a PNG. Raises ValueError."""
    file.seek(8)
    start = file.read(8 + 13)
    if len(start) < 21 or start[:8] != b"\0\0\0\rIHDR" or start[17] not in _CHANNELS:
        raise ValueError("it does not begin with a header")
    width, height, bits, color, _, _, interlaced = struct.unpack(">2I5B", start[8:])
    return PngHeader(width, height, bits, color, bool(interlaced))


def check_pixels(file: IO[bytes], header: PngHeader) -> None:
    """Raise ValueError or zlib.error where pixels are missing or damaged; more than there should be do not matter."""
    inflate = zlib.decompressobj()
    expected, count = header.pixel_bytes, 0
    for piece in _pixel_data(file):
        while piece and not inflate.eof and count <= expected:
            count += len(inflate.decompress(piece, _PIECE_BYTES))
            piece = inflate.unconsumed_tail
    while count < expected and (rest := inflate.decompress(b"", _PIECE_BYTES)):
        count += len(rest)
    if count < expected:
        raise ValueError(f"its pixels end after {count * 100 // expected} % of them")


def _pixel_data(file: IO[bytes]) -> Iterator[bytes]:
    """The content of the first IDAT chunk and those that follow it at once, in pieces, as far as the file goes."""
    file.seek(8)
    begun = False
    while len(start := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", start)
        if kind == b"IHDR" and file.tell() != 16:
            raise ValueError("it has two headers")
        if kind == b"IDAT":
            begun = True
            yield from _checked(file, length)
        elif begun:
            return
        else:
            file.seek(length + 4, os.SEEK_CUR)


def _checked(file: IO[bytes], length: int) -> Iterator[bytes]:
    checksum = zlib.crc32(b"IDAT")
    while length:
        piece = file.read(min(length, _PIECE_BYTES))
        if not piece:
            return
        checksum = zlib.crc32(piece, checksum)
        length -= len(piece)
        yield piece
    if file.read(4) != checksum.to_bytes(4, "big"):
        raise ValueError("the checksum of its pixels is wrong")
