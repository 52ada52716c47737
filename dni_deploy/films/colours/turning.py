"""Pictures turned as a display matrix says, for files that have no place for one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_ONE = 1 << 16


def is_turn(matrix: tuple[int, ...]) -> bool:
    """Whether the matrix (`Video.display_matrix`) turns by steps of 90 degrees, mirrored or not, and no more."""
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    straight = b == c == 0 and abs(a) == abs(d) == _ONE
    across = a == d == 0 and abs(b) == abs(c) == _ONE
    return straight or across


def swaps_sides(matrix: tuple[int, ...]) -> bool:
    """Whether width and height change places."""
    return matrix[0] == 0


def turn(picture: npt.NDArray[Any], matrix: tuple[int, ...]) -> npt.NDArray[Any]:
    """The picture, (H, W) or (H, W, C), as players would show it, for a matrix that `is_turn`."""
    # A pixel at (x, y) is shown at (a x + c y, b x + d y), moved to where the picture begins.
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if swaps_sides(matrix):
        a, d = c, b
        picture = picture.swapaxes(0, 1)
    return np.ascontiguousarray(picture[:: 1 if d > 0 else -1, :: 1 if a > 0 else -1])
