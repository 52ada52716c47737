"""The few alphas at which a network runs for a map of many: those between which mixing its results does least harm."""

from typing import Any

import numpy as np
import numpy.typing as npt

MOST_LEVELS = 5
"""As many as a map gets where nobody asks for more."""
# Up to this mean over all pixels of (alpha - the level below) * (the level above - alpha) a map needs no more levels.
# A mask of black and white whose border is smoothed over a few pixels of a photograph is below it with two, a gradient
# from 0 to 1 with ten.
_HARMLESS = 0.001
_CANDIDATES = 256
# More pixels tell it no better.
_ENOUGH_PIXELS = 2**20


def choose_levels(strengths: npt.NDArray[np.floating[Any]], most: int) -> tuple[float, ...]:
    """Levels for a map (H, W), ascending from its least value to its largest, all of them values of the map.

    Where it has no more than `most` values it is they, and nothing has to be mixed. Else mixing errs by a part of the
    network's curvature times the product above, and of all levels those are taken which make its sum least: a part of
    the map that is constant becomes a level of its own where it is large enough to count.
    """
    values, counts = _values(strengths)
    if len(values) <= most and len(every := _with_missing(values, strengths)) <= most:
        return tuple(every.tolist())
    harm = _harm(values, counts)
    sums, paths = harm[0], list[npt.NDArray[np.intp]]()
    while sums[-1] > _HARMLESS * counts.sum() and len(paths) < most - 2:
        through = sums[:, None] + harm
        paths.append(through.argmin(axis=0))
        sums = through.min(axis=0)
    chosen = [len(values) - 1]
    for path in reversed(paths):
        chosen.append(int(path[chosen[-1]]))
    return tuple(sorted({float(values[index]) for index in (0, *chosen)}))


def _values(strengths: npt.NDArray[np.floating[Any]]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What values there are, and how many pixels have them; of many values the most common of each range."""
    step = max(1, int((strengths.size / _ENOUGH_PIXELS) ** 0.5))
    ends = strengths.min(), strengths.max()
    values, counts = np.unique(np.append(strengths[::step, ::step], ends).astype(np.float64), return_counts=True)
    if len(values) <= _CANDIDATES:
        return values, counts.astype(np.float64)
    bins = ((values - values[0]) / (values[-1] - values[0]) * (_CANDIDATES - 1)).round().astype(np.intp)
    by_count = np.lexsort((counts, bins))
    last = np.flatnonzero(np.diff(bins[by_count], append=_CANDIDATES))
    common = values[by_count][last]
    common[0], common[-1] = values[0], values[-1]
    return common, np.bincount(bins, counts)[bins[by_count][last]]


def _with_missing(values: npt.NDArray[np.float64], strengths: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """`values`, and those that the map has beside them, of thin lines."""
    rows = max(1, _ENOUGH_PIXELS // strengths.shape[1])
    strips = (strengths[top : top + rows] for top in range(0, len(strengths), rows))
    return np.unique(np.concatenate([values, *(strip[~np.isin(strip, values)] for strip in strips)]))


def _harm(values: npt.NDArray[np.float64], counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """For each two values, (n, n), the sum over all pixels between them if they are neighbouring levels; else inf."""
    below, above = values[:, None], values[None]
    pixels, first, second = (np.cumsum(counts * values**power) for power in (0, 1, 2))
    between = [sums[None] - sums[:, None] for sums in (pixels, first, second)]
    # Of (value - below) * (above - value), multiplied out; the value above itself adds 0.
    harm = (below + above) * between[1] - below * above * between[0] - between[2]
    return np.where(below < above, np.maximum(harm, 0), np.where(below == above, 0.0, np.inf))
