"""The frames of a film as they are decoded, part by part: the same ones whatever the parts are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dni_deploy.films.film import Film, Part

from .decoding import Decoding
from .oddities import Oddities

if TYPE_CHECKING:
    from types import TracebackType

    from av import VideoFrame


class Frames:
    """Reads the frames of a film, in a context; not to be shared by threads.

    notes: what is odd about the parts that were read, each a few words that follow the film's name.
    """

    def __init__(self, film: Film) -> None:
        self.film = film
        self.notes: list[str] = []
        self._decoding: Decoding | None = None
        self._read_to: int | None = None

    def __enter__(self) -> Frames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def read(self, part: Part) -> Iterator[VideoFrame]:
        """The frames of `part` in the order in which they are shown, each once; pts in ticks of the film's time base.

        A frame that cannot be decoded is left out, so that there may be none at all; `notes` tells of it. Raises
        InputError where the file cannot be read any more.
        """
        decoding, oddities = self._at(part), Oddities(self.film, part)
        self._read_to = None
        for frame in decoding.until(part.begin, part.end):
            oddities.see(frame)
            yield frame
        self._read_to = part.end
        self.notes += oddities.told()

    def _at(self, part: Part) -> Decoding:
        """Where `part` begins, going on where the one before it ended if that makes no difference.

        That is where both are decoded from the same key. What comes of a part is a matter of its own key alone, also
        where the film is damaged and frames are made up of whatever was decoded before.
        """
        keys = self.film.index.keys
        before = keys[keys <= part.begin]
        key = int(before[-1]) if len(before) else None
        decoding = self._decoding
        if decoding is not None and (decoding.key, self._read_to) == (key, part.begin):
            return decoding
        self._close()
        self._decoding = Decoding(self.film, key)
        return self._decoding

    def _close(self) -> None:
        if self._decoding is not None:
            self._decoding.close()
        self._decoding = None
