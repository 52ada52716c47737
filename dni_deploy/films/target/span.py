"""Which part of a film is kept, and by how much its clock is moved."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from dni_deploy.films.film import Film

if TYPE_CHECKING:
    from av.container import InputContainer

_TS_DISCONT = 0x200  # FFmpeg's AVFMT_TS_DISCONT: formats whose clock may begin anywhere
_MICROSECOND = Fraction(1, 1_000_000)


@dataclass(frozen=True, slots=True)
class Span:
    """Moments of the source in seconds: from `start` until just before `end` (None: all), and what becomes 0."""

    zero: Fraction
    start: Fraction | None = None
    end: Fraction | None = None

    def holds(self, second: Fraction) -> bool:
        return (self.start is None or second >= self.start) and (self.end is None or second < self.end)

    def cut(self, begin: Fraction, end: Fraction) -> tuple[Fraction, Fraction] | None:
        """From when until when something is shown in the new film; None where it is not."""
        if self.start is not None:
            begin = max(begin, self.start)
        if self.end is not None:
            end = min(end, self.end)
        return (begin - self.zero, end - self.zero) if begin < end else None


def span_of(source: InputContainer, film: Film, start: int | None, end: int | None) -> Span:
    """`start` and `end` are ticks of the film's time base.

    What begins at `start` begins at 0. Otherwise the clock stays, unless the pictures begin before 0, or it is a
    broadcast's, which begins anywhere.
    """
    base = film.video.time_base
    first, last = (None if ticks is None else ticks * base for ticks in (start, end))
    if first is not None:
        return Span(first, first, last)
    zero = min(Fraction(0), int(film.index.pts[0]) * base)  # not all files hold pictures from before 0
    if source.format.flags & _TS_DISCONT and source.start_time is not None:
        zero = round(source.start_time * _MICROSECOND / base) * base
    return Span(zero, None, last)
