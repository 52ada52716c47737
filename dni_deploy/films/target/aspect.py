"""The shape of pixels in Matroska files, for codecs that do not say it themselves.

FFmpeg writes it there of a stream's property that PyAV has no access to. So the stream is given a display matrix, by
which FFmpeg makes room, and what says it is written into that room once the file is whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

PLACEHOLDER = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
"""A display matrix that stands for the shape of pixels, see `write_aspect`."""

_SEGMENT, _TRACKS, _TRACK, _VIDEO, _CRC, _VOID = 0x18538067, 0x1654AE6B, 0xAE, 0xE0, 0xBF, 0xEC
_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT, _PROJECTION = 0x54B0, 0x54BA, 0x54B2, 0x7670
_HEAD_BYTES = 1 << 20


class _Element(NamedTuple):
    name: int
    begin: int
    content: int
    end: int


def is_lost(container: str, encoder: str, aspect: Fraction | None) -> bool:
    """Whether neither the codec nor FFmpeg says it in such a file."""
    return container in ("matroska", "webm") and aspect not in (None, 1) and not encoder.startswith("libx26")


def write_aspect(film: Path, width: int, height: int, aspect: Fraction) -> None:
    """Let the first stream of a Matroska file say that its pixels are not square, in place of `PLACEHOLDER`.

    width, height: of its pictures. Raises OSError.
    """
    with film.open("r+b") as file:
        head = bytearray(file.read(_HEAD_BYTES))
        (segment,) = _find(head, 0, len(head), _SEGMENT)
        (tracks,) = _find(head, segment.content, len(head), _TRACKS)
        (video, *_) = _find(head, _find(head, tracks.content, tracks.end, _TRACK)[0].content, tracks.end, _VIDEO)
        kept = [each for each in _children(head, video.content, video.end) if each.name not in _REPLACED]
        shown = zip((_DISPLAY_WIDTH, _DISPLAY_HEIGHT), _display_size(width, height, aspect), strict=True)
        said = b"".join(name.to_bytes(2, "big") + b"\x82" + value.to_bytes(2, "big") for name, value in shown)
        content = b"".join(bytes(head[each.begin : each.end]) for each in kept) + said
        spare = video.end - video.content - len(content)
        head[video.content : video.end] = content + bytes([_VOID, 0x80 + spare - 2]) + bytes(spare - 2)
        for crc in _find(head, tracks.content, tracks.end, _CRC):
            head[crc.content : crc.end] = zlib.crc32(head[crc.end : tracks.end]).to_bytes(4, "little")
        file.seek(0)
        file.write(head)


_REPLACED = (_PROJECTION, _DISPLAY_UNIT)


def _display_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Of exactly that ratio where one is near the height; FFmpeg's own rounds the width."""
    ratio = width * aspect / height
    times = max(1, round(height / ratio.denominator))
    if abs(times * ratio.denominator - height) * 10 <= height and times * ratio.numerator < 1 << 16:
        return times * ratio.numerator, times * ratio.denominator
    return min(round(width * aspect), (1 << 16) - 1), height


def _find(data: bytes | bytearray, begin: int, end: int, name: int) -> list[_Element]:
    return [each for each in _children(data, begin, end) if each.name == name]


def _children(data: bytes | bytearray, begin: int, end: int) -> Iterator[_Element]:
    while begin < end:
        content, name = _number(data, begin, marked=True)
        content, size = _number(data, content, marked=False)
        yield _Element(name, begin, content, content + size)
        begin = content + size


def _number(data: bytes | bytearray, begin: int, *, marked: bool) -> tuple[int, int]:
    """Where it ends, and a number whose first bits say how many bytes it has; `marked`: with those bits."""
    size = 9 - data[begin].bit_length()
    value = int.from_bytes(data[begin : begin + size], "big")
    return begin + size, value if marked else value & ((1 << 7 * size) - 1)
