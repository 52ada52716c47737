"""Time a model as it runs, and as it would without one change to its graph, in one process."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from unittest.mock import patch

import numpy as np

import dni_runtime
from dni_runtime.opening import ways

# Threads of one session wait for work for a while, and slow the other session's.
_PAUSE_S = 0.02
_CALLS = 3


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of paired blocks of calls, after / before: median and quartiles; `before_ms` and `after_ms` are medians."""

    before_ms: float
    after_ms: float
    ratio: float
    quartiles: tuple[float, float]


@contextmanager
def as_optimized() -> Iterator[None]:
    """Models that are loaded meanwhile run their graph as ONNX Runtime optimizes it."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(ways, "staying_blocked", lambda body: body))
        stack.enter_context(patch.object(ways, "with_winograd", lambda body, small=False: body))
        yield


def load(file: Path, threads: int, *, before: bool) -> dni_runtime.Model:
    """A model, prepared anew: there has to be no cache."""
    if before:
        with as_optimized():
            return dni_runtime.load(file, "cpu", threads=threads)
    return dni_runtime.load(file, "cpu", threads=threads)


def largest_difference(before: dni_runtime.Model, after: dni_runtime.Model, size: int) -> float:
    """Of the results, beside the largest of them."""
    x = image(size)
    expected, got = before(x, 0.4), after(x, 0.4)
    return float(np.abs(expected - got).max() / max(1.0, np.abs(expected).max()))


def compare(before: dni_runtime.Model, after: dni_runtime.Model, size: int, *, moving: bool, blocks: int) -> Ratio:
    """Blocks of calls in random order; of each block the fastest call."""
    x, draw = image(size), random.Random(0)
    taken: dict[str, list[float]] = {"before": [], "after": []}
    for _ in range(blocks):
        for name, model in draw.sample([("before", before), ("after", after)], 2):
            time.sleep(_PAUSE_S)
            model(x, 0.4)
            taken[name].append(
                min(_timed(lambda m=model: m(x, draw.random() if moving else 0.4)) for _ in range(_CALLS))
            )
    ratios = [a / b for a, b in zip(taken["after"], taken["before"], strict=True)]
    low, middle, high = quantiles(ratios, n=4)
    return Ratio(median(taken["before"]) * 1e3, median(taken["after"]) * 1e3, middle, (low, high))


def image(size: int) -> np.ndarray[Any, Any]:
    """Noise."""
    return np.random.default_rng(0).random((1, 3, size, size), np.float32)


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
