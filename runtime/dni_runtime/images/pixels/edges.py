"""What lies beyond an image's ends: its reflection, or, where it is a seamless tile, the image again."""

from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]


def cut_out(image: Pixels, top: int, left: int, height: int, width: int, *, wrap: bool = False) -> Pixels:
    """The part of `image` (H, W, ...) from (top, left) on, which may lie beyond its ends; a view if it can be.

    There the image is reflected, or with `wrap` repeated, as often as it takes.
    """
    if top >= 0 and left >= 0 and top + height <= image.shape[0] and left + width <= image.shape[1]:
        return image[top : top + height, left : left + width]
    indices = _repeat if wrap else _reflect
    return image[indices(top, height, image.shape[0])[:, None], indices(left, width, image.shape[1])]


def _reflect(start: int, length: int, size: int) -> npt.NDArray[np.intp]:
    """Indices of `length` pixels from `start` on of an axis of `size`: 0 1 2 1 0 1 ... for size 3."""
    period = max(1, 2 * (size - 1))
    indices = np.arange(start, start + length) % period
    return np.minimum(indices, period - indices)


def _repeat(start: int, length: int, size: int) -> npt.NDArray[np.intp]:
    """Likewise: 0 1 2 0 1 2 ..."""
    return np.arange(start, start + length) % size
