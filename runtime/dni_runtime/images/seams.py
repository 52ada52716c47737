"""Tiles joined while they come in: what two of them share fades, and is kept only until the last one is there."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .tiling import Cut, Share, tile_shares

FloatArray = npt.NDArray[np.float32]


class Seams:
    """Takes the tiles of a grid one after another, row by row; gives back what no later tile adds to.

    Tiles are float32, or integers: those become float32 only where tiles fade, and are rounded there once, when the
    last tile is added. Everywhere else they stay as they are.

    Holds two seams: the one to the tile on the right, and, over the whole width of the image, the one to
    the row of tiles below. A seam is at most 16 input pixels wide (`Cut.feather`).

    tiles:  (row, column) of every tile, in the order in which `add` expects them.
    """

    def __init__(self, rows: Cut, columns: Cut, scale: Fraction) -> None:
        down, across = tile_shares(rows, scale), tile_shares(columns, scale)
        self.tiles = [(row, column) for row in down for column in across]
        self._width = across[-1].stop
        # What the tiles so far gave to the pixels that the tile to come shares with those on its left, all
        # of them, and (the band, as wide as the image) with those above.
        self._left: FloatArray | None = None
        self._band: FloatArray | None = None

    def add(self, y: npt.NDArray[Any], row: Share, column: Share) -> npt.NDArray[Any]:
        """Add a tile, (N, C, h, w); returns the finished pixels from (row.first, column.first) on.

        Overwrites `y`, and returns a part of it. Every pixel is the sum, in the order of the tiles, of what
        they give to it: the same to the last bit as adding tile after tile to one large array of float32.
        """
        whole = _Area(row.first, row.stop, column.first, column.stop)
        finished = _Area(row.first, row.done, column.first, column.done)
        part = y[:, :, row.first - row.offset :, column.first - column.offset :]
        before, after = self._before(row, column), self._after(row, column, y.shape[:2])
        for area, values in _weighted(whole, part, row, column):
            for shared, seam in before:
                area.of(values, shared)[...] += shared.of(seam, area)
            for shared, seam in after:
                shared.of(seam, area)[...] = area.of(values, shared)
            if values.dtype != part.dtype:
                pixels, rounded = whole.of(part, area & finished), np.rint(area.of(values, finished))
                for channel in range(pixels.shape[1]):  # interleaved; three times as fast as all at once
                    pixels[:, channel] = rounded[:, channel]
        return whole.of(part, finished)

    def _before(self, row: Share, column: Share) -> list[tuple["_Area", FloatArray]]:
        """What other tiles gave to this one's pixels, and to which."""
        seams = []
        left = column.first
        if self._left is not None:
            left += self._left.shape[3]
            seams.append((_Area(row.first, row.stop, column.first, left), self._left))
        if self._band is not None and row.offset > 0:
            # What lies above `_left` is in there already.
            area = _Area(row.first, row.first + self._band.shape[2], left, column.stop)
            seams.append((area, self._band[:, :, :, left : column.stop]))
        return seams

    def _after(self, row: Share, column: Share, samples: tuple[int, ...]) -> list[tuple["_Area", FloatArray]]:
        """Where to put what this tile gives to other ones' pixels."""
        seams = []
        self._left = None
        if column.done < column.stop:
            self._left = np.empty((*samples, row.stop - row.first, column.stop - column.done), np.float32)
            seams.append((_Area(row.first, row.stop, column.done, column.stop), self._left))
        if row.done < row.stop:
            if self._band is None:
                self._band = np.empty((*samples, row.stop - row.done, self._width), np.float32)
            # Nothing is lost: later tiles read the old band from column.stop on, or out of `_left`.
            area = _Area(row.done, row.stop, column.first, column.done)
            seams.append((area, self._band[:, :, :, column.first : column.done]))
        return seams


class _Area(NamedTuple):
    """Pixels of the result, from `top` and `left` to before `bottom` and `right`."""

    top: int
    bottom: int
    left: int
    right: int

    def __and__(self, other: "_Area") -> "_Area":
        """What two areas have in common; empty if they do not meet."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom, right = min(self.bottom, other.bottom), min(self.right, other.right)
        return _Area(top, max(top, bottom), left, max(left, right))

    def of(self, pixels: npt.NDArray[Any], other: "_Area") -> npt.NDArray[Any]:
        """Those of this area's pixels (N, C, h, w) that lie in `other` too; a view."""
        top, bottom, left, right = self & other
        return pixels[:, :, top - self.top : bottom - self.top, left - self.left : right - self.left]


def _weighted(whole: _Area, part: npt.NDArray[Any], row: Share, column: Share) -> Iterator[tuple[_Area, FloatArray]]:
    """A tile's weighted pixels: of float32 all at once, in place; of integers those that it shares with other tiles."""
    in_place = part.dtype == np.float32
    for border in _borders(row, column):
        pixels = whole.of(part, border)
        weights = row.weights[border.top - row.first : border.bottom - row.first, None]
        weights = weights * column.weights[border.left - column.first : border.right - column.first]
        if in_place:
            pixels *= weights
        else:
            # Planes, as the seams are, though the pixels may be interleaved: twice as fast.
            yield border, np.multiply(pixels, weights, out=np.empty(pixels.shape, np.float32))
    if in_place:
        yield whole, part


def _borders(row: Share, column: Share) -> Iterator[_Area]:
    """Four areas around the pixels that are a tile's alone, without one in common; a single one where it has none.

    The upper border comes before the lower one, as it reads the band that the other overwrites.
    """
    top, bottom = (row.first + pixel for pixel in _between_fades(row.weights))
    left, right = (column.first + pixel for pixel in _between_fades(column.weights))
    for area in (
        _Area(row.first, row.stop, column.first, left),
        _Area(row.first, row.stop, right, column.stop),
        _Area(row.first, top, left, right),
        _Area(bottom, row.stop, left, right),
    ):
        if area.top < area.bottom and area.left < area.right:
            yield area


def _between_fades(weights: FloatArray) -> tuple[int, int]:
    """The first pixel of weight 1 and the one after the last; twice the end where there is none.

    No other tile adds to a pixel of weight 1, as the weights of a pixel sum to 1 and none is nearly 0.
    """
    whole = np.flatnonzero(weights == 1)
    return (int(whole[0]), int(whole[-1]) + 1) if len(whole) else (len(weights), len(weights))
