"""What a PNG file says beside its pixels, and the file as if it said nothing.

Pillow takes a text or a profile of more than 1 MB, and each chunk that is damaged, for damage of the file. Here these
chunks are read, and Pillow is shown the others alone.
"""

from __future__ import annotations

import bisect
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import IO, Protocol

# All that one file may say, once it is inflated.
_MOST_BYTES = 64 * 2**20
_TEXT = (b"tEXt", b"zTXt", b"iTXt")
COLORS = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")
"""Chunks that say what the numbers of pixels are as colours."""
_READ = (*_TEXT, *COLORS, b"iCCP", b"eXIf", b"pHYs")
# Ancillary, but of pixels: opacity and animations.
_OF_PIXELS = (b"tRNS", b"acTL", b"fcTL", b"fdAT")
SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP = b"XML:com.adobe.xmp"


class Writable(Protocol):
    """What chunks are written to."""

    def write(self, content: bytes, /) -> object:
        """Append."""


class Chunks:
    """The chunks beside the pixels of a PNG file. `notes`: what could not be kept, in words."""

    def __init__(self, file: IO[bytes]) -> None:
        self.icc = self.exif = self.xmp = self.comment = None  # type: bytes | None
        self.dpi: tuple[float, float] | None = None
        self.kept: list[tuple[bytes, bytes]] = []
        self.notes: list[str] = []
        self._left = _MOST_BYTES
        shown = []
        for kind, start, length in _walk(file):
            if kind[0] & 0x20 == 0 or kind in _OF_PIXELS:
                shown.append((start - 8, length + 12))
            elif kind in _READ:
                self._take(kind, self._content(file, kind, start, length))
        self.shown = Spliced(file, shown)

    def _content(self, file: IO[bytes], kind: bytes, start: int, length: int) -> bytes | None:
        name = kind.decode()
        if length > self._left:
            self.notes.append(f"a part of {length >> 20} MiB ({name}) left out")
            return None
        file.seek(start)
        content, checksum = file.read(length), file.read(4)
        if len(content) < length or checksum != zlib.crc32(content, zlib.crc32(kind)).to_bytes(4, "big"):
            self.notes.append(f"a damaged part ({name}) left out")
            return None
        self._left -= length
        return content

    def _take(self, kind: bytes, content: bytes | None) -> None:
        if content is None:
            return
        if kind == b"iCCP":
            self.icc = self._inflate(content.partition(b"\0")[2][1:], "its colour profile")
        elif kind == b"eXIf":
            self.exif = content
        elif kind in _TEXT:
            self._take_text(kind, content)
        else:
            if kind == b"pHYs" and len(content) == 9 and content[8] == 1:
                across, down = struct.unpack(">2I", content[:8])
                self.dpi = (across * 0.0254, down * 0.0254)
            self.kept.append((kind, content))

    def _take_text(self, kind: bytes, content: bytes) -> None:
        keyword, _, rest = content.partition(b"\0")
        if keyword == XMP and kind == b"iTXt" and len(rest) > 2:
            packet = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
            self.xmp = self._inflate(packet, "its XMP") if rest[0] else packet
        elif keyword in (b"Raw profile type exif", b"Raw profile type APP1") and self.exif is None:
            hexadecimal = self._inflate(rest[1:], "its EXIF") if kind == b"zTXt" else rest
            self.exif = _raw_profile(hexadecimal or b"")
        else:
            if keyword == b"Comment" and kind == b"tEXt":
                self.comment = rest
            self.kept.append((kind, content))

    def _inflate(self, content: bytes, what: str) -> bytes | None:
        inflate = zlib.decompressobj()
        try:
            result = inflate.decompress(content, self._left + 1)
        except zlib.error:
            self.notes.append(f"{what} left out (damaged)")
            return None
        if len(result) > self._left:
            self.notes.append(f"{what} left out (more than {_MOST_BYTES >> 20} MiB)")
            return None
        self._left -= len(result)
        return result


def is_png(file: IO[bytes]) -> bool:
    """Whether a file begins as PNGs do."""
    file.seek(0)
    return file.read(8) == SIGNATURE


def _walk(file: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Kind, place and length of the content of each chunk."""
    place = 8
    while True:
        file.seek(place)
        if len(start := file.read(8)) < 8:
            return
        length, kind = struct.unpack(">I4s", start)
        yield kind, place + 8, length
        if kind == b"IEND":
            return
        place += length + 12


def _raw_profile(text: bytes) -> bytes | None:
    """What ImageMagick writes where there is no chunk for it: a name, a length and hexadecimal digits."""
    try:
        content = bytes.fromhex("".join(text.decode("ascii").split("\n")[3:]))
    except ValueError:
        return None
    return content.removeprefix(b"Exif\0\0") or None


class Spliced:
    """A file's signature and some of its parts, as a file to read. `parts`: (place, length), in order."""

    def __init__(self, file: IO[bytes], parts: Iterable[tuple[int, int]]) -> None:
        self._file, self._parts, self._at = file, [(0, 8), *parts], 0
        self._starts = [0, *accumulate(length for _, length in self._parts)]

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._starts[-1]}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        """So many bytes, or fewer at the end."""
        pieces, left = [], size if size >= 0 else self._starts[-1]
        number = bisect.bisect_right(self._starts, self._at) - 1
        while left > 0 and number < len(self._parts):
            place, length = self._parts[number]
            skipped = self._at - self._starts[number]
            self._file.seek(place + skipped)
            piece = self._file.read(min(left, length - skipped))
            pieces.append(piece)
            self._at += len(piece)
            left -= len(piece)
            if len(piece) < length - skipped:
                break
            number += 1
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def write_chunk(file: Writable, kind: bytes, content: bytes) -> None:
    """Write a chunk with its length and checksum."""
    file.write(struct.pack(">I", len(content)) + kind + content)
    file.write(zlib.crc32(content, zlib.crc32(kind)).to_bytes(4, "big"))
