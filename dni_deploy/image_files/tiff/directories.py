"""Directories of TIFF and EXIF, moved from one file into another: values stay the bytes that they are."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeAlias

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of a value of each kind."""

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
_POINTERS = (EXIF, GPS, INTEROPERABILITY)
_MOST_ENTRIES = 5000
# Of all values: the largest maker's notes have a few MB.
_MOST_BYTES = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Value:
    """`content`: so many (`count`) of a kind, in the byte order of the file; or a directory, where it is a pointer."""

    kind: int
    count: int
    content: bytes | Directory


Directory: TypeAlias = dict[int, Value]


def order_of(start: bytes) -> str:
    """The byte order of a TIFF or EXIF that begins so, as struct writes it. Raises ValueError where it is neither."""
    if (order := {b"II*\0": "<", b"MM\0*": ">"}.get(start[:4])) is None:
        raise ValueError("it is no EXIF")
    return order


def read_directory(
    read: Callable[[int, int], bytes],
    order: str,
    at: int,
    wanted: Collection[int] | None = None,
    *,
    big: bool = False,
) -> Directory:
    """The directory at a place, without what is not `wanted` (all is, of None) or lies beyond the end.

    read: gives so many bytes from a place on, fewer at the end. `big`: of a BigTIFF.
    """
    left_bytes = _MOST_BYTES

    def read_bounded(place: int, size: int) -> bytes:
        nonlocal left_bytes
        size = size if size <= left_bytes else 0
        left_bytes -= size
        return read(place, size)

    return _read_directory(read_bounded, order, at, wanted, big, 0)


def _read_directory(
    read: Callable[[int, int], bytes], order: str, at: int, wanted: Collection[int] | None, big: bool, depth: int
) -> Directory:
    result: Directory = {}
    count_bytes, number, within = (8, "Q", 8) if big else (2, "I", 4)
    count = int.from_bytes(read(at, count_bytes), "little" if order == "<" else "big")
    size = 4 + 2 * within
    entries = read(at + count_bytes, size * min(count, _MOST_ENTRIES))
    for place in range(0, len(entries) - size + 1, size):
        tag, kind, count, target = struct.unpack(f"{order}HH{number}{number}", entries[place : place + size])
        length = SIZES.get(kind, 0) * count
        if tag in _POINTERS and count == 1 and depth < 2 and (wanted is None or tag in wanted):
            result[tag] = Value(LONG, 1, _read_directory(read, order, target, None, big, depth + 1))
            continue
        if length < 1 or (wanted is not None and tag not in wanted) or tag in result:
            continue
        inside = entries[place + size - within : place + size - within + length]
        content = inside if length <= within else read(target, length)
        if len(content) == length:
            result[tag] = Value(kind, count, content)
    return result


def pack_directory(directory: Directory, order: str, at: int) -> bytes:
    """A directory at a place, followed by its values; the four bytes after its entries, for the next one, are 0."""
    entries, beyond = b"", bytearray()
    start = at + 2 + 12 * len(directory) + 4
    for tag, value in sorted(directory.items()):
        place, content = start + len(beyond), value.content
        if isinstance(content, dict):
            content = pack_directory(content, order, place)
        if len(content) > 4 or isinstance(value.content, dict):
            beyond += content + bytes(len(content) % 2)  # values begin at even places
            content = struct.pack(f"{order}I", place)
        entries += struct.pack(f"{order}HHI", tag, value.kind, value.count) + content.ljust(4, b"\0")
    return struct.pack(f"{order}H", len(directory)) + entries + bytes(4) + bytes(beyond)
