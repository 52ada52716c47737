"""What blending the weights of a new alpha takes, and the least that the speed of memory allows."""

import time
from statistics import median
from typing import Any

import numpy as np

from dni_runtime.prepared.laid_out import LaidOut

COPIED = 2**24
"""Numbers of float32 that are copied: far more than caches hold."""


def time_blends(runner: LaidOut) -> list[float]:
    """A list that gets the seconds of every blend from now on."""
    taken: list[float] = []
    blend = runner._blend

    def timed(alpha: Any, weights: Any) -> None:
        started = time.perf_counter()
        blend(alpha, weights)
        taken.append(time.perf_counter() - started)

    vars(runner)["_blend"] = timed  # in place of the method
    return taken


def copy_s_per_byte(times: int = 9) -> float:
    """Seconds for each byte that is read or written in memory, on one thread: the median of so many copies."""
    source, target = np.ones(COPIED, np.float32), np.zeros(COPIED, np.float32)
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        np.copyto(target, source)
        taken.append(time.perf_counter() - started)
    return median(taken) / (2 * source.nbytes)
