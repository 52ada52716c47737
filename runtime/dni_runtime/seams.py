"""Tiles joined while they come in: what two of them share fades, and is kept only until the last one is there."""

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from .tiling import Cut, Share, tile_shares

FloatArray = npt.NDArray[np.float32]


class Seams:
    """Takes the tiles of a grid one after another, row by row; gives back what no later tile adds to.

    Holds two seams: the one to the tile on the right, and, over the whole width of the image, the one to
    the row of tiles below. A seam is at most 16 input pixels wide (`Cut.feather`).

    tiles:  (row, column) of every tile, in the order in which `add` expects them.
    """

    def __init__(self, rows: Cut, columns: Cut, scale: Fraction) -> None:
        down, across = tile_shares(rows, scale), tile_shares(columns, scale)
        self.tiles = [(row, column) for row in down for column in across]
        self._width = across[-1].stop
        # What the tiles so far gave to the pixels that the tile to come shares with those on its left, all
        # of them, and (the band) with those above.
        self._left: FloatArray | None = None
        self._band: FloatArray | None = None

    def add(self, y: FloatArray, row: Share, column: Share) -> FloatArray:
        """Add a tile, (N, C, h, w); returns the finished pixels from (row.first, column.first) on.

        Overwrites `y`, and returns a part of it. Every pixel is the sum, in the order of the tiles, of what
        they give to it: the same to the last bit as adding tile after tile to one large array.
        """
        rows = slice(row.first - row.offset, row.stop - row.offset)
        columns = slice(column.first - column.offset, column.stop - column.offset)
        part = y[:, :, rows, columns]
        _weigh(part, row.weights, column.weights)

        shared = 0
        if self._left is not None:
            shared = self._left.shape[3]
            part[:, :, :, :shared] += self._left
        if self._band is not None and row.offset > 0:
            # The part of the band above `_left` is in there already.
            part[:, :, : self._band.shape[2], shared:] += self._band[:, :, :, column.first + shared : column.stop]

        height, width = row.done - row.first, column.done - column.first
        self._left = part[:, :, :, width:].copy() if column.done < column.stop else None
        if row.done < row.stop:
            if self._band is None:
                self._band = np.empty((*y.shape[:2], row.stop - row.done, self._width), np.float32)
            # Nothing is lost: later tiles read the old band from column.stop on, or out of `_left`.
            self._band[:, :, :, column.first : column.done] = part[:, :, height:, :width]
        return part[:, :, :height, :width]


def _weigh(part: FloatArray, down: FloatArray, across: FloatArray) -> None:
    """Multiply by the weights of both axes; only the four borders, as all weights between them are 1."""
    top, bottom = _between_fades(down)
    left, right = _between_fades(across)
    for rows in (slice(0, top), slice(bottom, None)):
        part[:, :, rows] *= down[rows, None] * across
    for columns in (slice(0, left), slice(right, None)):
        part[:, :, top:bottom, columns] *= across[columns]


def _between_fades(weights: FloatArray) -> tuple[int, int]:
    """The first pixel of weight 1 and the one after the last; twice the end where there is none."""
    whole = np.flatnonzero(weights == 1)
    return (int(whole[0]), int(whole[-1]) + 1) if len(whole) else (len(weights), len(weights))
