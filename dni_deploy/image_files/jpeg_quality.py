"""The quality that a JPEG file was written at, told from the quantization table that the file holds."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from dni_runtime.files.regular_file import open_file

# Of brightness at quality 50 (ITU-T T.81, table K.1), in the order of the file: along diagonals, coarse detail first.
_TABLE = np.array(
    [16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
     26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
     56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
     95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99]
)  # fmt: skip
_MOST_SEGMENTS = 1000
_DQT, _SOS, _EOI = 0xDB, 0xDA, 0xD9


def jpeg_quality(path: str | os.PathLike[str]) -> int | None:
    """The quality, 1 to 100, of a JPEG file by the scale of libjpeg; None of any other file.

    Exact for what libjpeg's programs wrote (Pillow, ImageMagick, most others). Cameras and Photoshop have tables of
    their own: of these it is the quality whose table is nearest. How an image was compressed before the file was
    written, nothing tells.

    Raises OSError if the file cannot be read.
    """
    table = _brightness_table(Path(path))
    if table is None:
        return None
    qualities = np.arange(1, 101)
    scale = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    tables = ((_TABLE * scale[:, None] + 50) // 100).clip(1, 255)
    # Of logarithms: a step of 2 for 1 is as much as one of 200 for 100.
    return int(qualities[np.abs(np.log(tables / table)).sum(axis=1).argmin()])


def _brightness_table(path: Path) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    with open_file(path) as file:
        if file.read(2) != b"\xff\xd8":
            return None
        for _ in range(_MOST_SEGMENTS):
            start = file.read(4)
            if len(start) < 4 or start[0] != 0xFF or start[1] in (_SOS, _EOI):
                return None
            length = int.from_bytes(start[2:], "big") - 2
            if start[1] != _DQT:
                file.seek(max(0, length), os.SEEK_CUR)
            elif (table := _table_0(file.read(max(0, length)))) is not None:
                return table
    return None


def _table_0(segment: bytes) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    """The table number 0, which is that of brightness, in a segment that may hold several; None without it."""
    while segment:
        precision, number = divmod(segment[0], 16)
        size = 64 * (2 if precision else 1)
        values = np.frombuffer(segment[1 : 1 + size], ">u2" if precision else np.uint8)
        if number == 0 and len(values) == 64 and values.min() > 0:
            return values.astype(np.int64)
        segment = segment[1 + size :]
    return None
