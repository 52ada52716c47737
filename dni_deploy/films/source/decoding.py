"""Frames from one key on, in the order in which they are shown: the same ones wherever and however often.

Several threads decode at once, which makes no difference as long as nothing is damaged. What FFmpeg makes up for
damaged pictures is a matter of how far the other threads are, so there one thread begins anew.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from dni_deploy.extras import import_av
from dni_deploy.films.film import Film

from .demuxing import packets_from

if TYPE_CHECKING:
    from av import VideoFrame

# More are no faster than a network, and each holds frames.
_THREADS = min(4, os.cpu_count() or 1)
# Where nothing can be decoded at a key it is tried that many keys before it: some say "key" where pictures only begin
# to be renewed, stripe by stripe.
_KEYS_BACK = (0, 1, 4)


class _DamageError(Exception):
    """Something is not as it was encoded."""


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
        last = self._begin - 1
        start = None
        for start in self._starts():
            try:
                with closing(self._in_order(start, strict=True)) as frames:
                    for frame in frames:
                        yield frame
                        last = _pts(frame)
                return
            except _DamageError:
                if last >= self._begin:
                    break
        with closing(self._in_order(start, strict=False)) as frames:
            yield from (frame for frame in frames if _pts(frame) > last)

    def _starts(self) -> list[int | None]:
        """Where to begin, the best first: the key itself, then those before it, the film's begin for the first."""
        keys = self._film.index.keys
        at = int(np.searchsorted(keys, self._begin))
        if self.key is None or self._begin == self._film.index.pts[0]:
            return [None]
        return [int(keys[at - back]) if back < at else None for back in _KEYS_BACK if back <= at]

    def _in_order(self, start: int | None, *, strict: bool) -> Generator[VideoFrame, None, None]:
        """From `self._begin` on, decoded from `start` on. `strict`: several threads; raises _DamageError for damage.

        As many frames wait as may change places, so that one is given away after all that it may be made of, some of
        which are shown later.
        """
        moments = self._film.index.pts
        given = int(np.searchsorted(moments, self._begin))
        waiting: list[tuple[int, VideoFrame]] = []
        for frame, depth in self._decoded(start, _THREADS if strict else 1):
            if strict and (frame is None or frame.is_corrupt):
                raise _DamageError
            if frame is None or not self._is_awaited(frame, given, waiting):
                continue
            heapq.heappush(waiting, (_pts(frame), frame))
            if strict and max(waiting)[0] != moments[given + len(waiting) - 1]:
                raise _DamageError
            while len(waiting) > depth:
                given = int(np.searchsorted(moments, waiting[0][0])) + 1
                yield heapq.heappop(waiting)[1]
        if strict and given + len(waiting) < len(moments):
            raise _DamageError
        yield from (frame for _, frame in sorted(waiting))

    def _is_awaited(self, frame: VideoFrame, given: int, waiting: list[tuple[int, VideoFrame]]) -> bool:
        """Whether its moment is one of those to come, and no other frame's."""
        moments, pts = self._film.index.pts, frame.pts
        if pts is None or given == len(moments) or pts < moments[given] or any(pts == other for other, _ in waiting):
            return False
        at = int(np.searchsorted(moments, pts))
        return at < len(moments) and moments[at] == pts

    def _decoded(self, start: int | None, threads: int) -> Iterator[tuple[VideoFrame | None, int]]:
        """Frames as they are decoded, None for what cannot be, each with how many may change places."""
        av, index = import_av(), self._film.index
        count = 0
        with closing(packets_from(self._film, start)) as packets:
            for packet in packets:
                decoder = packet.stream.codec_context
                if not decoder.is_open:
                    decoder.thread_count, decoder.thread_type = threads, "AUTO"
                try:
                    frames = decoder.decode(packet if packet.size else None)
                except av.FFmpegError:
                    yield None, decoder.reorder_depth
                    continue
                for frame in frames:
                    frame.time_base = self._film.video.time_base
                    if index.counted:
                        frame.pts = int(index.pts[count]) if count < len(index.pts) else None
                        count += 1
                    yield frame, decoder.reorder_depth


def _pts(frame: VideoFrame) -> int:
    assert frame.pts is not None
    return frame.pts
