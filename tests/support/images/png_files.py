"""PNG files made and read by the specification, byte by byte: what the project's own reader is compared with."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
Rows = npt.NDArray[Any]


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    samples: Rows,
    *,
    bits: int = 8,
    color: int | None = None,
    interlaced: bool = False,
    filters: tuple[int, ...] = (0, 1, 2, 3, 4),
    extra: bytes = b"",
    height: int | None = None,
    stream: bytes | None = None,
) -> bytes:
    """A file of `samples` (H, W, channels), whose rows take `filters` in turn. `extra`: chunks before the pixels.

    `height` and `stream` take the place of what is right: the height in the header, the pixels before compression.
    """
    rows, columns, channels = samples.shape
    color = {1: 0, 2: 4, 3: 2, 4: 6}[channels] if color is None else color
    if stream is None:
        passes = [samples[y::down, x::right] for x, y, right, down in ADAM7] if interlaced else [samples]
        stream = b"".join(filtered(part, bits, filters) for part in passes if part.size)
    header = struct.pack(">2I5B", columns, height or rows, bits, color, 0, 0, interlaced)
    pixels = zlib.compress(stream)
    parts = [pixels[:40], pixels[40:]]  # readers have to join them
    body = b"".join(chunk(b"IDAT", part) for part in parts)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + body + chunk(b"IEND", b"")


def filtered(samples: Rows, bits: int, filters: tuple[int, ...] = (0,)) -> bytes:
    """The rows of one pass as they are compressed."""
    rows, columns, channels = samples.shape
    if bits == 16:
        packed = np.ascontiguousarray(samples, ">u2").view(np.uint8).reshape(rows, -1)
    elif bits == 8:
        packed = np.ascontiguousarray(samples, np.uint8).reshape(rows, -1)
    else:
        places = samples.reshape(rows, columns * channels, 1) >> np.arange(bits - 1, -1, -1) & 1
        packed = np.packbits(places.astype(np.uint8).reshape(rows, -1), axis=1)
    step = max(1, channels * bits // 8)
    lines, above = [], [0] * packed.shape[1]
    for number, line in enumerate(packed.astype(int).tolist()):
        kind = filters[number % len(filters)]
        left, corner = [0] * step + line[:-step], [0] * step + above[:-step]
        guesses = [predict(kind, *near) for near in zip(left, above, corner, strict=False)]
        lines.append(bytes([kind, *((byte - guess) % 256 for byte, guess in zip(line, guesses, strict=False))]))
        above = line
    return b"".join(lines)


def predict(kind: int, left: int, above: int, corner: int) -> int:
    if kind < 4:
        return (0, left, above, (left + above) // 2)[kind]
    distances = [abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)]
    return (left, above, corner)[distances.index(min(distances))]


def read_png(path: Path) -> Rows:
    """The samples (H, W, channels) of a file of 8 or 16 bits that is not interlaced."""
    data, at, pixels = path.read_bytes(), 8, b""
    columns, rows, bits, color = struct.unpack(">2I2B", data[16:26])
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + content) == int.from_bytes(data[at + 8 + length : at + 12 + length], "big")
        pixels += content if kind == b"IDAT" else b""
        at += 12 + length
    step = CHANNELS[color] * bits // 8
    stream = np.frombuffer(zlib.decompress(pixels), np.uint8).reshape(rows, 1 + columns * step).astype(int).tolist()
    lines, above = [], [0] * (columns * step)
    for kind, *line in stream:
        for i in range(len(line)):
            left, corner = (line[i - step], above[i - step]) if i >= step else (0, 0)
            line[i] = (line[i] + predict(kind, left, above[i], corner)) % 256
        lines.append(line)
        above = line
    dtype = ">u2" if bits == 16 else np.uint8
    return np.array(lines, np.uint8).view(dtype).reshape(rows, columns, -1)
