"""A network at several levels of alpha, whose results are mixed pixel by pixel as a map of alpha says."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from dni_runtime.images.pixels.edges import cut_out
from dni_runtime.images.run_tiled import Place
from dni_runtime.images.tiling import Share

FloatArray = npt.NDArray[np.float32]
Run = Callable[[FloatArray], FloatArray]

# A third of what float32 holds, so that sums of two stay finite; beyond every range of values.
_LARGEST = np.float32(1e38)


@dataclass(frozen=True, slots=True)
class Regions:
    """A network with another alpha for each pixel.

    strengths: (H, W), the alpha of each pixel of the image.
    levels:    the alphas at which it runs, ascending from the least in `strengths` to the largest.
    runs:      the network at each of them, as `enhance_images` takes it.
    """

    strengths: npt.NDArray[np.floating[Any]]
    levels: Sequence[float]
    runs: Sequence[Run]

    def by_place(
        self, prepare: Callable[[Run], Run], height: int, width: int, margin: int, scale: Fraction
    ) -> Callable[[FloatArray, Sequence[Place]], FloatArray]:
        """What `run_tiled` takes, for tiles of `height` x `width`; `margin`: see `Picture`.

        `prepare`: makes of each of the runs one that takes batches of any length.
        """
        regions = replace(self, runs=[prepare(run) for run in self.runs])
        turns = itertools.cycle((False, True))

        def run(x: FloatArray, places: Sequence[Place]) -> FloatArray:
            wanted = []
            for row, column in places:
                corner = (row.start - margin, column.start - margin)
                levels = regions.cut_out(*corner, height, width, scale, wrap=margin > 0)
                wanted.append(_where_it_counts(levels, row, column))
            return regions.run(x, np.stack(wanted), backwards=next(turns))

        return run

    def cut_out(self, top: int, left: int, height: int, width: int, scale: Fraction, *, wrap: bool) -> FloatArray:
        """The level of each of the network's pixels, (height * scale, width * scale): 1.25 is 3/4 of 1 and 1/4 of 2.

        For an input from (top, left) on; beyond the image as `edges.cut_out` has it.
        """
        around = cut_out(self.strengths, top - 1, left - 1, height + 2, width + 2, wrap=wrap)
        if around.min() == around.max():
            found = np.broadcast_to(around[0, 0], (int(height * scale), int(width * scale)))
        else:
            found = _resample(_resample(around.astype(np.float64), scale).T, scale).T
        levels: FloatArray = np.interp(found, self.levels, np.arange(len(self.levels))).astype(np.float32)
        return levels

    def run(self, x: FloatArray, wanted: FloatArray, *, backwards: bool = False) -> FloatArray:
        """The mixed result for tiles `x` (B * N, C, h, w), of which `wanted` (B, h', w') are the levels.

        Each tile runs at the levels that its pixels need, and no other. Where it is a whole number for all of them the
        result is that of the level itself, to the last bit. `backwards`: begin with the highest level; by turns, a
        batch begins with the alpha that the one before ended with.
        """
        count = len(wanted)
        mixed: FloatArray | None = None
        for level in reversed(range(len(self.levels))) if backwards else range(len(self.levels)):
            weights = np.clip(1 - np.abs(wanted - np.float32(level)), 0, 1)
            needed = weights.any(axis=(1, 2))
            if not needed.any():
                continue
            tiles = x if needed.all() else x.reshape(count, -1, *x.shape[1:])[needed].reshape(-1, *x.shape[1:])
            y = self.runs[level](tiles)
            if y.ndim != 4 or len(y) != len(tiles) or y.shape[2:] != wanted.shape[1:] or (weights == 1).all():
                return y  # nothing to mix, or no image: `run_tiled` says what is wrong with it
            by_tile = y.reshape(int(needed.sum()), -1, *y.shape[2:])
            np.clip(by_tile, -_LARGEST, _LARGEST, out=by_tile)  # infinity is clipped in the end, and times 0 it is NaN
            by_tile *= weights[needed, None]
            if mixed is None and needed.all():
                mixed = by_tile
                continue
            if mixed is None:
                mixed = np.zeros((count, *by_tile.shape[1:]), np.float32)
            mixed[needed] += by_tile
        assert mixed is not None
        return mixed.reshape(len(x), -1, *mixed.shape[2:])


def _where_it_counts(levels: FloatArray, row: Share, column: Share) -> FloatArray:
    """The levels of a tile, without those that only pixels have which are thrown away."""
    inner = tuple(slice(each.first - each.offset, each.stop - each.offset) for each in (row, column))
    beyond = [(part.start, size - part.stop) for part, size in zip(inner, levels.shape, strict=True)]
    return np.pad(levels[inner], beyond, mode="edge")


def _resample(values: npt.NDArray[np.float64], scale: Fraction) -> npt.NDArray[np.float64]:
    """Rows between the first and the last, which only lend their values, at `scale`: linear in between."""
    if scale == 1:
        return values[1:-1]
    places = (np.arange(int((len(values) - 2) * scale)) + 0.5) / float(scale) + 0.5
    first = np.floor(places).astype(np.intp)
    part = (places - first)[:, None]
    # Not a weighted sum of both, which rounds where they are equal.
    found: npt.NDArray[np.float64] = values[first] + part * (values[first + 1] - values[first])
    return found
