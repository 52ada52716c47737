"""TIFF files by the specification, tag by tag: kinds that Pillow does not write."""

import struct
from collections.abc import Sequence

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
OFFSETS, SAMPLES, ROWS, COUNTS = 273, 277, 278, 279
PLANAR, EXTRA, FORMAT = 284, 338, 339
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK = 0, 1, 2, 5


def tiff(
    strips: Sequence[bytes],
    size: tuple[int, int],
    *,
    bits: Sequence[int] = (8,),
    photometric: int = BLACK_IS_ZERO,
    order: str = "<",
    tags: dict[int, Sequence[int]] | None = None,
    rows: int | None = None,
) -> bytes:
    """Uncompressed `strips` of `rows` rows each of an image of `size` (H, W). `tags`: more of them, or others."""
    height, width = size
    places, at = [], 8
    for strip in strips:
        places.append(at)
        at += len(strip)
    fields = {
        WIDTH: [width],
        HEIGHT: [height],
        BITS: bits,
        COMPRESSION: [1],
        PHOTOMETRIC: [photometric],
        OFFSETS: places,
        SAMPLES: [len(bits)],
        ROWS: [rows or height],
        COUNTS: [len(strip) for strip in strips],
    } | (tags or {})
    beyond, entries, kind = b"", b"", 4  # LONG, for all
    for tag, values in sorted(fields.items()):
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) > 1:
            packed, beyond = struct.pack(f"{order}I", at + len(beyond)), beyond + packed
        entries += struct.pack(f"{order}HHI", tag, kind, len(values)) + packed
    start = b"II" if order == "<" else b"MM"
    header = start + struct.pack(f"{order}HI", 42, at + len(beyond))
    return header + b"".join(strips) + beyond + struct.pack(f"{order}H", len(fields)) + entries + bytes(4)
