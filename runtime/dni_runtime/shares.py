"""What each stored endpoint is multiplied with, as it follows from alpha.

Alpha may be the shares themselves, all but the last; or one number, the place on a path through several endpoints.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .alpha import Key
from .files.fields import FieldError, Fields, show

# A piece of a path bends around so many trained checkpoints at most: Bernstein polynomials of degree 3.
MOST_MIDDLES = 2
# Knots as near as this leave no room to move in; as far out as this float32 has few numbers between them.
LEAST_APART = 1e-3
LIMIT_KNOT = 1e6
_MOST_KNOTS = 256


@dataclass(frozen=True, slots=True)
class Path:
    """One alpha through several endpoints, piece by piece, straight or around trained middles.

    knots:   where each checkpoint lies, strictly rising or falling; at a knot the blend is that checkpoint, exactly.
    middles: for each piece between neighbouring knots, how many middles it bends around: 0 is a straight line, 1 the
             curve t^2 A + 2 t (1-t) C + (1-t)^2 B of Garipov et al. (arXiv 1802.10026), 2 the cubic one.

    The endpoints lie in order: a knot, the middles of the piece after it, the next knot. `why_no_path` says which
    numbers make none.
    """

    knots: tuple[float, ...]
    middles: tuple[int, ...]

    @classmethod
    def even(cls, middles: Sequence[int]) -> Path:
        """Pieces of equal length, from 1 down to 0, so that alpha = 1 is the first endpoint."""
        pieces = len(middles)
        return cls(tuple((pieces - i) / pieces for i in range(pieces + 1)), tuple(middles))

    @property
    def count(self) -> int:
        """How many endpoints it takes, middles included."""
        return len(self.knots) + sum(self.middles)

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest alpha."""
        return min(self.knots), max(self.knots)

    @property
    def knot_numbers(self) -> tuple[int, ...]:
        """Which of the endpoints lie at the knots; the others are middles."""
        return tuple(i + sum(self.middles[:i]) for i in range(len(self.knots)))

    def shares(self, alpha: float) -> tuple[float, ...]:
        """The share of each endpoint, in their order; their sum is 1, and at a knot its endpoint has all of it.

        Alpha and the knots count as float32, in which a model takes alpha, so that both agree on what is a knot; what
        lies beyond the last knots is what lies at them.
        """
        place = float(np.float32(alpha))
        knots = [float(np.float32(knot)) for knot in self.knots]
        shares = [1.0]
        for (upper, lower), middles in zip(itertools.pairwise(knots), self.middles, strict=True):
            # 1 before the piece and 0 behind it: there its middles have no share, and one of its ends loses nothing.
            t = min(1.0, max(0.0, (place - lower) / (upper - lower)))
            degree = 1 + middles
            terms = [math.comb(degree, k) * t ** (degree - k) * (1.0 - t) ** k for k in range(degree + 1)]
            shares[-1] *= terms[0]
            shares += terms[1:]
        return tuple(shares)

    def tell(self, names: Sequence[str]) -> str:
        """The path as people read it: "from a.pth (1) around 1 middle to b.pth (0)". `names`: of all endpoints."""
        text = "from"
        for number, knot, middles in zip(self.knot_numbers, self.knots, (*self.middles, 0), strict=True):
            around = f" around {middles} middle{'s' * (middles > 1)}" if middles else ""
            text += f" {names[number]} ({knot:g}){around} to"
        return text.removesuffix(" to")

    def to_dict(self) -> dict[str, list[float] | list[int]]:
        """Plain data for JSON."""
        return {"knots": list(self.knots), "middles": list(self.middles)}


def shares_of(alpha: Key, path: Path | None) -> tuple[float, ...]:
    """The share of each endpoint at a checked `alpha`: along `path`, or alpha itself and what is left of 1."""
    return (*alpha, 1.0 - sum(alpha)) if path is None else path.shares(alpha[0])


def why_no_path(knots: Sequence[float], middles: Sequence[float]) -> str | None:
    """Why these make no `Path`, as what is wrong, what was got and what was expected; None where they do."""
    if len(knots) < 2 or len(middles) != len(knots) - 1:
        return f"{len(knots)} knots and {len(middles)} pieces; expected two knots or more, and a piece between each two"
    if not all(type(count) is int and 0 <= count <= MOST_MIDDLES for count in middles):
        return f"pieces with {show(list(middles))} middles; expected 0 to {MOST_MIDDLES} each"
    if not all(-LIMIT_KNOT <= knot <= LIMIT_KNOT for knot in knots):
        return f"knots at {show(list(knots))}; expected numbers within {LIMIT_KNOT:g}"
    steps = np.diff(np.array(knots, np.float32).astype(np.float64))
    if not ((steps >= LEAST_APART).all() or (steps <= -LEAST_APART).all()):
        return (
            f"knots at {show(list(knots))}; expected numbers that rise or fall from one to the next, "
            f"by {LEAST_APART:g} or more"
        )
    return None


def read_path(fields: Fields, endpoint_count: int) -> Path:
    """What `Path.to_dict` wrote, of whoever wrote it. Raises FieldError unless it goes through all endpoints."""
    knots, middles = (fields.list_of_numbers(name, _MOST_KNOTS) for name in ("knots", "middles"))
    if reason := why_no_path(knots, middles):
        raise FieldError(f"alpha.path has {reason}")
    path = Path(tuple(map(float, knots)), tuple(map(int, middles)))
    if path.count != endpoint_count:
        raise FieldError(f"alpha.path goes through {path.count} endpoints; expected {endpoint_count}, all there are")
    return path
