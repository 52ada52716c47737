"""What is odd about frames that are read: damaged, lost, interlaced, of another size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dni_deploy.films.film import Film, Part
from dni_deploy.films.moments import show_moment

if TYPE_CHECKING:
    from av import VideoFrame


class Oddities:
    """Looks at all frames of a part in their order, and tells what was odd."""

    def __init__(self, film: Film, part: Part) -> None:
        self._film = film
        first, end = np.searchsorted(film.index.pts, (part.begin, part.end))
        self._lost = set(film.index.pts[first:end].tolist())
        self._seen: dict[str, list[int]] = {}

    def see(self, frame: VideoFrame) -> None:
        """Look at one of them."""
        pts, video = frame.pts, self._film.video
        assert pts is not None
        self._lost.discard(pts)
        if frame.is_corrupt:
            self._note(pts, "damaged; FFmpeg made up for what is missing")
        if frame.interlaced_frame:
            self._note(pts, "interlaced; enhanced like the others")
        if (frame.width, frame.height) != (video.width, video.height):
            self._note(pts, f"of {frame.width}x{frame.height} pixels; made {video.width}x{video.height}")

    def told(self) -> list[str]:
        """A few words that follow the film's name for each kind of oddity."""
        for pts in sorted(self._lost):
            self._note(pts, "lost; the picture before stays")
        return [f"{self._when(moments)} {what}" for what, moments in self._seen.items()]

    def _note(self, pts: int, what: str) -> None:
        self._seen.setdefault(what, []).append(pts)

    def _when(self, moments: list[int]) -> str:
        first, last = (show_moment(self._film.seconds(pts)) for pts in (moments[0], moments[-1]))
        if len(moments) == 1:
            return f"one frame, at {first}, is"
        return f"{len(moments)} frames from {first} to {last} are"
