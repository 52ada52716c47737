"""An opened approach on one input, called as a user would: with a held alpha, or with new ones."""

import random
import time
from collections.abc import Sequence
from itertools import pairwise

from dni_deploy.bench.approaches.approach import Approach, FloatArray, Running, Strength

from .race import SPIN_S

# Calls this slow need no untimed call before them: what it would warm up is lost in them.
_SLOW_S = 0.2


class Runner:
    """Times calls of one approach, and finds it new alphas.

    An approach that runs any alpha gets one that was never used; one that has some strengths gets them in
    turn, so that a cache of fewer sessions holds none of those that come next.
    """

    def __init__(
        self,
        approach: Approach,
        running: Running,
        x: FloatArray,
        alpha: Strength,
        alpha_range: tuple[float, float],
    ) -> None:
        self.approach, self.running, self.x = approach, running, x
        self.alpha: Strength = approach.strengths[0] if approach.strengths else alpha
        self._range = alpha_range
        self._draw = random.Random(1)
        self._turn = 0
        self._last_s = 0.0

    def new_alpha(self) -> Strength:
        strengths = self.approach.strengths
        if strengths:
            self._turn = (self._turn + 1) % len(strengths)
            return strengths[self._turn]
        return draw_alpha(self._range, len(self.alpha), self._draw)

    def hold(self) -> None:
        """Make the held alpha the last one, at full speed."""
        self.running(self.x, self.alpha)
        self.running.settle()

    def ready(self, alpha: Strength) -> None:
        """Wait until nobody's threads spin, and bring this approach's code and weights back into the caches."""
        time.sleep(SPIN_S)
        if self._last_s < _SLOW_S:
            self.running(self.x, alpha)

    def seconds(self, alphas: Sequence[Strength]) -> float:
        """Seconds per call over calls with `alphas`, one after the other."""
        started = time.perf_counter()
        for alpha in alphas:
            self.running(self.x, alpha)
        self._last_s = (time.perf_counter() - started) / len(alphas)
        return self._last_s


def draw_alpha(alpha_range: tuple[float, float], count: int, draw: random.Random) -> Strength:
    """`count` shares, each and their sum in the range; several come from cutting the range at random places."""
    low, high = alpha_range
    if count == 1:
        return (draw.uniform(low, high),)
    low = max(low, 0.0)
    width = high - count * low
    cuts = [0.0, *sorted(draw.random() for _ in range(count))]
    return tuple(low + width * (b - a) for a, b in pairwise(cuts))
