"""Decoding from one key on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from dni_deploy.extras import import_av
from dni_deploy.films.film import Film

from .opening import open_film, pictures_of

if TYPE_CHECKING:
    from av import VideoFrame


class Decoding:
    """The frames of `film` from `key` on, the pts of one at which decoding can begin; None for the film's begin."""

    def __init__(self, film: Film, key: int | None) -> None:
        self.key = key
        self._film = film
        self._frames: Generator[VideoFrame, None, None] = self._decode()
        self._next: VideoFrame | None = None

    def close(self) -> None:
        self._frames.close()

    def take_notes(self) -> list[str]:
        return []

    def until(self, begin: int, end: int) -> Iterator[VideoFrame]:
        """The frames with begin <= pts < end, after those that were given before."""
        while True:
            frame = self._next or next(self._frames, None)
            self._next = frame
            if frame is None or (pts := frame.pts or 0) >= end:
                return
            self._next = None
            if pts >= begin:
                yield frame

    def _decode(self) -> Generator[VideoFrame, None, None]:
        film = self._film
        moments = iter(film.index.pts)
        begin = int(film.index.pts[0]) if self.key is None else self.key
        with closing(open_film(film.path)) as container:
            stream = pictures_of(container, film.path)
            stream.codec_context.thread_type = "AUTO"
            if begin != film.index.pts[0]:
                container.seek(begin, stream=stream)
            for packet in container.demux(stream):
                try:
                    frames = stream.codec_context.decode(packet if packet.size else None)
                except import_av().FFmpegError:
                    continue
                for frame in frames:
                    frame.time_base = film.video.time_base
                    if film.index.counted:
                        frame.pts = int(next(moments))
                    if frame.pts is not None and frame.pts >= begin:
                        yield frame
