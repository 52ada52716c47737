"""EXIF, changed in place: a maker's notes point at bytes by their number, and moving one would break them.

EXIF is a TIFF structure (EXIF 2.32): directories of entries of 12 bytes, whose values lie beyond where 4 bytes are too
few. Bytes of strangers: what does not fit the structure is passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SHORT, _LONG = 3, 4
_ORIENTATION, _THUMBNAIL, _THUMBNAIL_BYTES = 0x0112, 0x0201, 0x0202
_EXIF, _GPS, _INTEROPERABILITY = 0x8769, 0x8825, 0xA005
_WIDTHS, _HEIGHTS = (0x0100, 0xA002), (0x0101, 0xA003)
_MOST_ENTRIES = 5000


@dataclass(frozen=True, slots=True)
class _Entry:
    """`at`: where the entry begins. `start`, `stop`: of its value."""

    tag: int
    kind: int
    count: int
    at: int
    start: int
    stop: int


class _Structure:
    """EXIF to be read and written. Raises ValueError for what begins as none."""

    def __init__(self, exif: bytes) -> None:
        self.bytes = bytearray(exif)
        self.order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4], "")
        if not self.order or len(exif) < 14:
            raise ValueError("it is no EXIF")
        (self.first,) = self.unpack("I", 4)

    def unpack(self, kinds: str, at: int) -> tuple[int, ...]:
        """Numbers at a place, 0 for what lies beyond the end."""
        size = struct.calcsize(f"{self.order}{kinds}")
        return struct.unpack(f"{self.order}{kinds}", bytes(self.bytes[at : at + size]).ljust(size, b"\0"))

    def entries(self, at: int) -> Iterator[_Entry]:
        """Those of the directory at a place."""
        (count,) = self.unpack("H", at)
        for place in range(at + 2, at + 2 + 12 * min(count, _MOST_ENTRIES), 12):
            if place + 12 > len(self.bytes):
                return
            tag, kind, count = self.unpack("HHI", place)
            length = _SIZES.get(kind, 0) * count
            start = place + 8 if length <= 4 else self.unpack("I", place + 8)[0]
            yield _Entry(tag, kind, count, place, start, start + length)

    def next_pointer(self, at: int) -> int:
        """Where the place of the directory after the one at a place is written."""
        return at + 2 + 12 * self.unpack("H", at)[0]

    def number(self, entry: _Entry) -> int | None:
        """The value of an entry that is one whole number."""
        if entry.count != 1 or entry.kind not in (_SHORT, _LONG):
            return None
        return self.unpack("H" if entry.kind == _SHORT else "I", entry.start)[0]

    def set_number(self, entry: _Entry, value: int) -> None:
        """Make one whole number another; a short one becomes a long one where it has to."""
        kind = _LONG if value > 0xFFFF else entry.kind
        content = struct.pack(f"{self.order}H", kind), struct.pack(f"{self.order}I", value)
        if kind == _SHORT:
            content = content[0], struct.pack(f"{self.order}HH", value, 0)
        self.bytes[entry.at + 2 : entry.at + 4], self.bytes[entry.at + 8 : entry.at + 12] = content

    def main(self) -> Iterator[_Entry]:
        """All entries but the thumbnail's."""
        places = [self.first]
        for place in places:
            for entry in self.entries(place):
                yield entry
                target = self.number(entry) if entry.tag in (_EXIF, _GPS, _INTEROPERABILITY) else None
                if target and target not in places and len(places) < 4:
                    places.append(target)


def upright(exif: bytes) -> tuple[int, bytes]:
    """The orientation, 1 to 8, and EXIF of the upright picture without the thumbnail. Raises ValueError."""
    structure, orientation = _Structure(exif), 1
    for entry in structure.entries(structure.first):
        value = structure.number(entry)
        if entry.tag == _ORIENTATION and value in range(2, 9):
            orientation = value or 1
            structure.set_number(entry, 1)
            break
    _drop_thumbnail(structure)
    if orientation >= 5:
        _swap_size(structure)
    return orientation, bytes(structure.bytes)


def _swap_size(structure: _Structure) -> None:
    entries = [*structure.main()]
    for widths, heights in zip(_WIDTHS, _HEIGHTS, strict=True):
        found = {entry.tag: entry for entry in entries if entry.tag in (widths, heights)}
        numbers = {tag: structure.number(entry) for tag, entry in found.items()}
        width, height = numbers.get(widths), numbers.get(heights)
        if width is not None and height is not None:
            structure.set_number(found[widths], height)
            structure.set_number(found[heights], width)


def _drop_thumbnail(structure: _Structure) -> None:
    pointer = structure.next_pointer(structure.first)
    (second,) = structure.unpack("I", pointer)
    if not 0 < second < len(structure.bytes):
        return
    entries = list(structure.entries(second))
    numbers = {entry.tag: structure.number(entry) for entry in entries}
    starts = [second, *(entry.start for entry in entries), numbers.get(_THUMBNAIL) or second]
    structure.bytes[pointer : pointer + 4] = bytes(4)
    ends = [structure.next_pointer(structure.first) + 4]
    for entry in structure.main():
        ends += [entry.stop, entry.at + 16]  # a directory ends with where the next one is
    if max(ends) <= min(starts):  # mostly the thumbnail comes last
        del structure.bytes[min(starts) :]


def with_size(exif: bytes, height: int, width: int) -> bytes:
    """EXIF that says this size where it says one."""
    structure = _Structure(exif)
    for entry in [*structure.main()]:
        value = width if entry.tag in _WIDTHS else height if entry.tag in _HEIGHTS else None
        if value is not None and structure.number(entry) not in (None, value):
            structure.set_number(entry, value)
    return bytes(structure.bytes)


def without_orientation(exif: bytes) -> bytes:
    """EXIF without that entry, for formats that say it in other ways; all others' values stay where they are."""
    structure = _Structure(exif)
    for entry in structure.entries(structure.first):
        if entry.tag == _ORIENTATION:
            end = structure.next_pointer(structure.first) + 4
            count = structure.unpack("H", structure.first)[0]
            structure.bytes[entry.at : end] = structure.bytes[entry.at + 12 : end] + bytes(12)
            structure.bytes[structure.first : structure.first + 2] = struct.pack(f"{structure.order}H", count - 1)
            break
    return bytes(structure.bytes)
