"""Medians with their spread, and ratios of what was measured in the same round."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .race import Round


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of `count` values, the quartiles around it, and the value that 95 % stay below."""

    median: float
    low: float
    high: float
    p95: float
    count: int


def spread(values: Sequence[float], factor: float = 1.0) -> Spread | None:
    """None where nothing was measured. `factor` changes the unit."""
    if not values:
        return None
    low, median, high, p95 = (float(q) * factor for q in np.percentile(values, [25, 50, 75, 95]))
    return Spread(median, low, high, p95, len(values))


def values_of(rounds: Sequence[Round], name: str) -> list[float]:
    return [taken[name] for taken in rounds if name in taken]


def paired_ratios(rounds: Sequence[Round], name: str, reference: str) -> list[float]:
    """One ratio for every round that timed both: what slowed down the whole round cancels out."""
    return [taken[name] / taken[reference] for taken in rounds if name in taken and reference in taken]
