"""Where a film is cut into parts, which are made on their own: here one after another, or on several machines.

The cuts depend on the film and on the section of it that is wanted alone, so that a run that goes on, and one on a
cluster, make the same parts.
"""

from __future__ import annotations

import bisect
import math

from dni_deploy.films.film import Film, Part
from dni_runtime import InputError

SHORTEST_S, LONGEST_S = 5, 20


def cut(film: Film, start: float | None = None, end: float | None = None) -> tuple[Part, ...]:
    """The parts of the film between two moments, in seconds from its first frame.

    Each begins at the first key frame at least 5 seconds after the one before began, or, if none comes within 20
    seconds, at any frame.

    Raises InputError where no frame lies between the two.
    """
    pts, keys = film.index.pts.tolist(), film.index.keys.tolist()
    first, last = _section(film, start, end)
    after = pts[last] if last < len(pts) else pts[-1] + max(1, int(film.index.durations[-1]))
    begins = [pts[first]]
    while True:
        soonest = begins[-1] + math.ceil(SHORTEST_S / film.video.time_base)
        latest = begins[-1] + math.ceil(LONGEST_S / film.video.time_base)
        key = bisect.bisect_left(keys, soonest)
        if key < len(keys) and keys[key] <= latest:
            begin = keys[key]
        else:
            frame = bisect.bisect_left(pts, latest)
            begin = pts[frame] if frame < len(pts) else after
        if begin >= after:
            break
        begins.append(begin)
    ends = [*begins[1:], after]
    return tuple(Part(number, begin, end) for number, (begin, end) in enumerate(zip(begins, ends, strict=True)))


def _section(film: Film, start: float | None, end: float | None) -> tuple[int, int]:
    """The numbers of the first frame, and of the one behind the last."""
    pts = film.index.pts.tolist()
    length = film.seconds(pts[-1] + int(film.index.durations[-1]))

    def at(second: float) -> int:
        if second > length:  # however far
            return len(pts)
        return bisect.bisect_left(pts, pts[0] + math.ceil(round(second / float(film.video.time_base), 3)))

    first = 0 if start is None else at(start)
    last = len(pts) if end is None else at(end)
    if first >= len(pts):
        raise InputError(f"--start is {start:g} s, but {film.path} ends after {length:.3f} s; expected less")
    if first >= last:
        raise InputError(
            f"no frame of {film.path} lies between --start ({start or 0:g} s) and --end ({end:g} s); expected a later "
            "end"
        )
    return first, last
