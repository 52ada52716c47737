"""The best alpha of each level, from the errors at a few alphas."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

GRID = 11
"""At how many alphas errors are measured, evenly over alpha's range: between them they are smooth."""


def best_alphas(grid: FloatArray, errors: FloatArray) -> FloatArray:
    """The alpha of least error for each level. grid: (GRID,), evenly spaced; errors: (levels, GRID)."""
    return np.array([_lowest(grid, each) for each in errors])


def _lowest(grid: FloatArray, errors: FloatArray) -> float:
    """Where the parabola through the least error and those beside it is lowest."""
    middle = min(max(int(errors.argmin()), 1), len(grid) - 2)
    before, here, after = errors[middle - 1 : middle + 2]
    bend = before - 2 * here + after
    if bend <= 0:  # no valley: one of the ends
        return float(grid[errors.argmin()])
    shift = (before - after) / (2 * bend)
    return float(grid[middle] + float(np.clip(shift, -1, 1)) * (grid[1] - grid[0]))


def monotone(values: Sequence[float] | FloatArray) -> FloatArray:
    """The nearest values, by their squares, that do nothing but rise, or nothing but fall: whichever is nearer.

    Where neighbours are in the wrong order they are put together (pool adjacent violators).
    """
    array = np.asarray(values, np.float64)
    rising, falling = _rising(array), -_rising(-array)
    return min(rising, falling, key=lambda each: float(np.square(each - array).sum()))


def _rising(values: FloatArray) -> FloatArray:
    pools: list[tuple[float, int]] = []
    for value in values:
        pools.append((float(value), 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (low, few), (high, more) = pools.pop(), pools.pop()
            pools.append(((low * few + high * more) / (few + more), few + more))
    return np.array([value for value, count in pools for _ in range(count)])
