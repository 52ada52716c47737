"""Colours under full transparency, which a network must not see: filled with those of the visible pixels around them.

Nobody sees the colour of a pixel of opacity 0, mostly black, but a network mixes it into its visible neighbours: a
white sprite gets a grey rim. Here such pixels get the mean of the visible ones nearby, weighted by their opacity, as
the soft rim of a sprite has colours that nobody chose. It is found by pull-push (Gortler et al., The Lumigraph, 1996;
section 3.4): averages of ever larger squares, which fill what the smaller ones leave open; and where no square has a
visible pixel it is the mean colour of the image. All of it lies on a grid of the image, and a tile reads as far around
it as its filling depends on, so that tiles agree about what they share.
"""

import numpy as np
import numpy.typing as npt

from dni_runtime.images.conversion import Image, clamped

from .edges import cut_out

FloatArray = npt.NDArray[np.float32]

_HALVINGS = 5
_SQUARE = 2**_HALVINGS
"""Side of the largest squares; also how far beyond a pixel its filling reads, see `_double`."""
_FARTHER = np.float32(1 / 16)
"""What a colour from a square twice as large weighs: less than that of any smaller square nearby."""
_STRIP_PIXELS = 2**18


class HiddenColors:
    """An image's colours, with those of its hidden pixels filled; nothing of its size is held beside it.

    colors, opacity: (H, W, C) and (H, W, 1) of one dtype, of which at least one pixel is visible.
    white:           the value of an opaque pixel.
    """

    def __init__(self, colors: Image, opacity: Image, white: float, *, wrap: bool) -> None:
        self._colors, self._opacity, self._white, self._wrap = colors, opacity, white, wrap
        self._mean = _mean_color(colors, opacity, white)

    def cut_out(self, top: int, left: int, height: int, width: int) -> Image:
        """As `edges.cut_out` does, of the same dtype; visible pixels are those of the image, to the last bit."""
        place = (top, left, height, width)
        tile = cut_out(self._colors, *place, wrap=self._wrap)
        hidden = cut_out(self._opacity, *place, wrap=self._wrap)[:, :, 0] <= 0
        if not hidden.any():
            return tile
        first_row, last_row = _on_grid(top, height)
        first_column, last_column = _on_grid(left, width)
        around = (first_row, first_column, last_row - first_row, last_column - first_column)
        found = _spread(
            clamped(cut_out(self._colors, *around, wrap=self._wrap)),
            _weights(cut_out(self._opacity, *around, wrap=self._wrap), self._white),
            self._mean,
        )
        found = found[top - first_row :, left - first_column :][:height, :width][hidden]
        filled = tile.copy()
        filled[hidden] = found if filled.dtype == np.float32 else np.rint(found)
        return filled


def _on_grid(start: int, length: int) -> tuple[int, int]:
    """The squares that hold `length` pixels from `start` on and what their filling reads."""
    return (start // _SQUARE - 1) * _SQUARE, (-(-(start + length) // _SQUARE) + 1) * _SQUARE


def _weights(opacity: Image, white: float) -> FloatArray:
    """1 for an opaque pixel, 0 for a hidden one."""
    return np.divide(clamped(opacity), white, dtype=np.float32)


def _mean_color(colors: Image, opacity: Image, white: float) -> FloatArray:
    """Of the visible pixels, weighted by their opacity; (C,)."""
    total, weight = np.zeros(colors.shape[2]), 0.0
    rows = max(1, _STRIP_PIXELS // colors.shape[1])
    for top in range(0, len(colors), rows):
        weights = _weights(opacity[top : top + rows], white)
        # Row by row as products of matrices, ten times as fast as summing what they are multiplied with.
        sums = weights.swapaxes(1, 2) @ clamped(colors[top : top + rows]).astype(np.float32, copy=False)
        total += sums.sum(axis=(0, 1), dtype=np.float64)
        weight += float(weights.sum(dtype=np.float64))
    return (total / weight).astype(np.float32)


def _spread(colors: Image, weights: FloatArray, mean: FloatArray) -> FloatArray:
    """A colour for every pixel (h, w, C), sides multiples of `_SQUARE`, made of the visible ones around it."""
    known = np.concatenate([colors * weights, weights], axis=2)
    squares = []
    for _ in range(_HALVINGS):
        known = known[::2] + known[1::2]
        known = known[:, ::2] + known[:, 1::2]
        squares.append(known)
    found = np.broadcast_to(np.append(mean, np.float32(1)), known.shape)
    for known in reversed(squares):
        # A square that holds less than one opaque pixel knows its colour in part; larger ones tell the rest.
        weights = known[:, :, -1:]
        found = known / np.maximum(weights, 1) + _FARTHER * (1 - np.minimum(weights, 1)) * found
        found = _double(_double(found).swapaxes(0, 1)).swapaxes(0, 1)
    return found[:, :, :-1] / found[:, :, -1:]


def _double(x: FloatArray) -> FloatArray:
    """Twice as many rows, linear in between.

    A new row depends on the row that it lies in and the one next to it. Over all doublings from `_SQUARE` to 1 that is
    1 + 2 + ... + _SQUARE / 2 pixels, less than one square.
    """
    doubled = np.empty((2 * len(x), *x.shape[1:]), np.float32)
    near = 0.75 * x
    doubled[::2] = near + 0.25 * np.concatenate([x[:1], x[:-1]])
    doubled[1::2] = near + 0.25 * np.concatenate([x[1:], x[-1:]])
    return doubled
