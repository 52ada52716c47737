"""Files whose parts are too many: Pillow keeps each in a list, in Python, and a JPEG's scans are each a whole decoding.

PNG files of 12-byte chunks and JPEG files of 4-byte segments would take minutes and gigabytes before there is a size to
look at. Here parts are only counted.
"""

import os
import re
import struct
from typing import IO

_MOST_PARTS = 10_000
_USUAL_BYTES = 512  # encoders write 4 to 64 kB of pixels in a PNG chunk
_PIECE_BYTES = 2**20
_START_OF_SCAN = b"\xff\xda"
# A segment of a JPEG with its length, or the end of the image; what libjpeg passes over is none.
_SEGMENT = re.compile(rb"\xff(?:([\xc0-\xcf\xda-\xfe])(..)|\xd9)", re.DOTALL)
_ALONE = bytes([0x00, 0x01, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)])  # JPEG markers that nothing belongs to
# Ten or so are usual; of empty ones at the limit of 89 million pixels a decoder does three a second.
_MOST_SCANNED_PIXELS = 30 * 89_000_000


def check_parts(file: IO[bytes], size_bytes: int) -> None:
    """Raise ValueError for a PNG or JPEG file of more parts than it could need. Leaves the file at its start."""
    file.seek(0)
    start = file.read(8)
    most = _MOST_PARTS + size_bytes // _USUAL_BYTES
    if start.startswith(b"\x89PNG"):
        count = _count_chunks(file, most)
    elif start.startswith(b"\xff\xd8"):
        file.seek(2)
        count = _count_segments(file, most)
    else:
        count = 0
    if count > most:
        raise ValueError(f"it has more than {most} parts")
    file.seek(0)


def check_scans(file: IO[bytes], pixels: int, *, in_tiff: bool = False) -> None:
    """Raise ValueError for a JPEG file, or a TIFF of JPEG parts of `pixels` each, whose scans would take minutes."""
    count = _count_everywhere(file) if in_tiff else _count_scans(file)
    if count * pixels > _MOST_SCANNED_PIXELS:
        raise ValueError(f"it has {count} scans; expected at most {_MOST_SCANNED_PIXELS // pixels}")


def _count_everywhere(file: IO[bytes]) -> int:
    file.seek(0)
    count, last = 0, b""
    while piece := file.read(_PIECE_BYTES):
        count += piece.count(_START_OF_SCAN) + (last + piece[:1] == _START_OF_SCAN)
        last = piece[-1:]
    return count


def _count_scans(file: IO[bytes]) -> int:
    """Those up to the end of the image, as libjpeg walks over them: phones append films, whose bytes look like any."""
    count, place = 0, 2
    while True:
        file.seek(place)
        piece, position = file.read(_PIECE_BYTES), 0
        while found := _SEGMENT.search(piece, position):
            marker, length = found.groups()
            if marker is None:
                return count
            count += marker == _START_OF_SCAN[1:]
            position = found.end() + max(0, int.from_bytes(length, "big") - 2)
        if len(piece) < _PIECE_BYTES:
            return count
        place += max(position, len(piece) - 3)  # a segment may begin in the last three bytes


def _count_chunks(file: IO[bytes], most: int) -> int:
    count = 0
    while count <= most and len(start := file.read(8)) == 8:
        count += 1
        if start[4:] == b"IEND":
            break
        file.seek(struct.unpack(">I", start[:4])[0] + 4, os.SEEK_CUR)
    return count


def _count_segments(file: IO[bytes], most: int) -> int:
    """Those before the pixels, as Pillow walks over them: each byte between two segments is one for it."""
    count = 0
    while count <= most and (byte := file.read(1)):
        count += 1
        if byte != b"\xff" or not (marker := file.read(1)):
            continue
        if marker == b"\xff":
            file.seek(-1, os.SEEK_CUR)
        elif byte + marker == _START_OF_SCAN:
            break
        elif marker not in _ALONE:
            file.seek(max(0, int.from_bytes(file.read(2), "big") - 2), os.SEEK_CUR)
    return count
