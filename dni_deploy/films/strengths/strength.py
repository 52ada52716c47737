"""Strengths: one that stays, and one that moves from key to key."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from dni_deploy.films.film import Key

# Containers such as .mkv round moments to milliseconds, so that a frame may come a little before its key.
_ROUNDING_S = 0.001


@dataclass(frozen=True, slots=True)
class Held:
    """One alpha at every moment; None for a model without one."""

    key: Key | None

    def at(self, second: float) -> Key | None:
        """See `Strength`."""
        return self.key


@dataclass(frozen=True, slots=True)
class Curve:
    """An alpha that moves through keys; before the first it is the first's, after the last the last's.

    seconds: of the keys, from the film's first frame; rising, one or more.
    alphas:  at each of them.
    held:    whether a key's alpha stays until the next key; else it moves evenly from one to the next.
    """

    seconds: tuple[float, ...]
    alphas: tuple[Key, ...]
    held: bool = False

    def at(self, second: float) -> Key:
        """See `Strength`."""
        after = bisect_right(self.seconds, second + _ROUNDING_S * self.held)
        if after == 0:
            return self.alphas[0]
        if self.held or after == len(self.seconds):
            return self.alphas[after - 1]
        begin, end = self.seconds[after - 1], self.seconds[after]
        share = (second - begin) / (end - begin)
        before, behind = self.alphas[after - 1], self.alphas[after]
        return tuple(a + share * (b - a) for a, b in zip(before, behind, strict=True))
