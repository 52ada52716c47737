"""What makes a map of alpha for images, and at which alphas a network runs for it."""

from collections.abc import Callable
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from dni_runtime.alpha import Alpha, Key
from dni_runtime.errors import AlphaError, InputError

from .levels import choose_levels

AlphaMap = npt.NDArray[np.floating[Any]]
"""An alpha for each pixel, (H, W)."""


def is_map(alpha: object) -> TypeGuard[npt.NDArray[Any]]:
    """Whether alpha is one for each pixel."""
    return isinstance(alpha, np.ndarray) and alpha.ndim == 2


def levels_of(
    alpha: npt.NDArray[Any], size: tuple[int, int], most: int, check_alpha: Callable[[Alpha], Key | None]
) -> tuple[tuple[float, ...], list[Key | None]]:
    """The levels of a map for images of `size`, `most` at most, and the alpha that the network gets for each.

    `check_alpha`: that of the model. Raises AlphaError for a map of another size, of no numbers, or of those that the
    model does not take; InputError for fewer than two levels.
    """
    if most < 2:
        raise InputError(f"levels is {most}; expected 2 or more: alpha is mixed from two of them")
    height, width = size
    if alpha.shape != size:
        raise AlphaError(
            f"alpha is a map of {alpha.shape[0]}x{alpha.shape[1]}; expected {height}x{width}, a number for each pixel"
        )
    if alpha.dtype.kind != "f":
        raise AlphaError(f"alpha is a map of dtype {alpha.dtype}; expected float32, each a strength of the model")
    ends = [_as_given(end) for end in (alpha.min(), alpha.max())]
    for end in ends:
        value = check_alpha(end)
        if value is not None and len(value) > 1:
            raise AlphaError(
                f"alpha is a map, but the model takes {len(value)} numbers; expected a model of one, or numbers: a "
                "strength for each region is for a single alpha"
            )
    levels = choose_levels(alpha, most)
    return levels, [check_alpha(_as_given(level)) for level in np.asarray(levels, alpha.dtype)]


def _as_given(value: Any) -> float:
    """0.3 for the float32 next to it, which somebody meant by it: it is then the same alpha as the scalar."""
    return float(str(value))
