"""Frames from one key on, in the order in which they are shown: the same ones wherever and however often."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from dni_deploy.films.film import Film

from .decoders import decoded, decoder_of
from .demuxing import packets_from

if TYPE_CHECKING:
    from av import VideoFrame

# Where nothing whole comes of a key it is tried that many keys before it: some say "key" where pictures only begin to
# be renewed, stripe by stripe.
_KEYS_BACK = (0, 1, 4)


class Decoding:
    """The frames of `film` from `key` on, the pts of one at which decoding can begin; None for the film's begin."""

    def __init__(self, film: Film, key: int | None) -> None:
        self.key = key
        self._film = film
        self._begin = int(film.index.pts[0]) if key is None else key
        self._frames = self._decode()
        self._next: VideoFrame | None = None

    def close(self) -> None:
        """Let go of the file."""
        self._frames.close()

    def until(self, begin: int, end: int) -> Iterator[VideoFrame]:
        """The frames with begin <= pts < end, after those that were given before."""
        while True:
            frame = self._next or next(self._frames, None)
            self._next = frame
            if frame is None or _pts(frame) >= end:
                return
            self._next = None
            if _pts(frame) >= begin:
                yield frame

    def _decode(self) -> Generator[VideoFrame, None, None]:
        for start in self._starts():
            frames = self._in_order(start)
            first = next(frames, None)
            if first is not None and _pts(first) == self._begin and not first.is_corrupt:
                break
        if first is not None:
            yield first
        yield from frames

    def _starts(self) -> list[int | None]:
        """Where to begin, the best first: the key itself, then those before it, the film's begin for the first."""
        keys = self._film.index.keys
        at = int(np.searchsorted(keys, self._begin))
        if self.key is None or self._begin == self._film.index.pts[0]:
            return [None]
        return [int(keys[at - back]) if back < at else None for back in _KEYS_BACK if back <= at]

    def _in_order(self, start: int | None) -> Iterator[VideoFrame]:
        """Those of the index from `self._begin` on, each once, decoded from `start` on."""
        last = self._begin - 1
        for frame in self._decoded(start):
            if frame.pts is not None and frame.pts > last and self._is_known(frame.pts):
                last = frame.pts
                yield frame

    def _is_known(self, pts: int) -> bool:
        moments = self._film.index.pts
        at = int(np.searchsorted(moments, pts))
        return at < len(moments) and int(moments[at]) == pts

    def _decoded(self, start: int | None) -> Iterator[VideoFrame]:
        film = self._film
        counted = iter(film.index.pts.tolist())
        with closing(packets_from(film, start)) as packets:
            first = next(packets, None)
            if first is None:
                return
            for frame in decoded(decoder_of(first.stream), itertools.chain([first], packets)):
                frame.time_base = film.video.time_base
                if film.index.counted:
                    frame.pts = next(counted, None)
                yield frame


def _pts(frame: VideoFrame) -> int:
    assert frame.pts is not None
    return frame.pts
