"""Averages over an image that is cut into tiles: measured in one pass over all tiles after another."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np

from dni_runtime.alpha import Key
from dni_runtime.images.tiling import Cut

from .network import AveragesNetwork, Axis, FloatArray, Span

Read = Callable[[int, int], FloatArray]
Run = Callable[[FloatArray], FloatArray]

# In so many stages each average is measured once, when all that it depends on are known.
_MOST_STAGES = 4
# Of an average, by how much a pass may change it to be the last. Each pass is tens of times as near as the one before.
_SETTLED = 1e-3


@dataclass(frozen=True, slots=True)
class Averages:
    """A network with averages, at one alpha or several; what `enhance_images` takes for it."""

    network: AveragesNetwork
    alphas: Sequence[Key | None]
    guarded: Callable[[Callable[[], Any]], Any]
    """Returns what it is given returns; makes whatever that raises a DniError."""

    @property
    def unit(self) -> int:
        """Tiles have to begin at multiples of it."""
        return self.network.unit

    @property
    def passes(self) -> int:
        """Over all tiles, at most."""
        return len(self.alphas) * max(self.network.depths)

    def hold(self, read: Read, rows: Cut, columns: Cut, step: Callable[[], None]) -> list[Run]:
        """The network at each alpha, for the tiles of the image that `read` gives.

        `read(top, left)`: (N, C, h, w), the tile of each of N samples. `step` is called after each tile of each pass.
        """
        return [
            functools.partial(self._run, alpha, self._measure(alpha, read, rows, columns, step))
            for alpha in self.alphas
        ]

    @property
    def _holds(self) -> bool:
        """Whether one alpha is that of all calls; several take turns with every tile."""
        return len(self.alphas) == 1

    def _run(self, alpha: Key | None, averages: list[FloatArray], x: FloatArray) -> FloatArray:
        tiles = len(x) // len(averages[0])
        whole = [np.concatenate([average] * tiles) for average in averages]
        y: FloatArray = self.guarded(lambda: self.network.run(x, alpha, whole, holds=self._holds))
        return y

    def _measure(
        self, alpha: Key | None, read: Read, rows: Cut, columns: Cut, step: Callable[[], None]
    ) -> list[FloatArray]:
        """The averages over the image, those of each sample."""
        shares = [(spans(rows, axes[0]), spans(columns, axes[1])) for axes in self.network.axes]
        tiles = [
            _Tile(top, left, [(down[i], across[j]) for down, across in shares])
            for (i, top), (j, left) in product(enumerate(rows.starts), enumerate(columns.starts))
        ]
        averages: list[FloatArray | None] = []
        for wanted in _stages(self.network.depths):
            sums = [np.zeros(()) for _ in wanted]
            for tile in tiles:
                x = read(tile.top, tile.left)
                measure = functools.partial(self.network.measure, wanted, x, alpha, averages, tile.parts)
                found = self.guarded(functools.partial(measure, holds=self._holds))
                for place, index in enumerate(wanted):
                    with np.errstate(invalid="ignore"):  # of infinite ones, which what is written tells of
                        sums[place] = sums[place] + found[place].astype(np.float64) * _count(tile.parts[index])
                step()
            before, averages = averages, [*averages] or [None] * len(shares)
            for value, index in zip(sums, wanted, strict=True):
                averages[index] = (value / sum(_count(tile.parts[index]) for tile in tiles)).astype(np.float32)
            if before and all(map(_is_settled, before, averages)):
                break
        return [average for average in averages if average is not None]


@dataclass(frozen=True, slots=True)
class _Tile:
    """Where a tile begins, and what of each average's feature map is its to measure."""

    top: int
    left: int
    parts: list[tuple[Span, Span]]


def _stages(depths: Sequence[int]) -> Iterator[list[int]]:
    """The averages to measure in one pass after another.

    A pass computes a tile with the averages that those before it found over all tiles, the first one with the tile's
    own; so after the first those that depend on no other are exact, after the second those that depend on these alone,
    and so on. Of many, all are measured each time, as they settle long before.
    """
    stages = range(1, max(depths) + 1)
    for stage in stages:
        yield [i for i, depth in enumerate(depths) if len(stages) > _MOST_STAGES or depth == stage]


def _is_settled(before: FloatArray | None, now: FloatArray | None) -> bool:
    if before is None or now is None:
        return False
    with np.errstate(invalid="ignore"):  # infinite ones never settle
        return bool(np.abs(now - before).max() <= _SETTLED * np.abs(now).max())


def spans(cut: Cut, axis: Axis) -> list[Span]:
    """What of an axis of its feature map each tile measures: all of them together measure each step once.

    Neighbours share what both have, half and half; what neither has, where maps are smaller than tiles, is left out.
    """
    length = axis.length(cut.tile)
    firsts = [int(start / axis.stride) for start in cut.starts]
    borders = [0, *((a + length + b) // 2 for a, b in pairwise(firsts)), firsts[-1] + length]
    return [
        (max(0, begin - first), min(length, end - first))
        for first, (begin, end) in zip(firsts, pairwise(borders), strict=True)
    ]


def _count(part: tuple[Span, Span]) -> int:
    (top, bottom), (left, right) = part
    return (bottom - top) * (right - left)
