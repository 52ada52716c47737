"""The one definition of a valid alpha, shared by export, runtime and command line."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any, SupportsFloat, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import AlphaError

Alpha: TypeAlias = SupportsFloat | Sequence[SupportsFloat] | NDArray[Any]
"""The share of endpoint A; with K > 2 endpoints the shares of all but the last, K - 1 numbers. On a path: where."""

Key: TypeAlias = tuple[float, ...]
"""Alpha as the runtime passes it on: checked, one float for every endpoint but the last."""

# A step such as 0:1:0.1 or a float32 round trip may overshoot an end of the range by rounding alone.
_ROUNDING = 1e-6


def check_alpha(
    alpha: Alpha, alpha_range: tuple[float, float], count: int = 1, *, on_path: bool = False
) -> tuple[float, ...]:
    """Return alpha as `count` floats that lie in `alpha_range`.

    alpha:       one number (a Python or NumPy scalar, an array of one element) or `count` of them: the shares of all
                 endpoints but the last, which takes the rest. Their sum has to lie in the range too, so that the
                 last endpoint's share stays as near to 0..1 as the others'.
    alpha_range: smallest and largest alpha.
    count:       how many numbers; one fewer than there are endpoints.
    on_path:     whether alpha is a place on a path, which ends where its range does.

    Raises AlphaError for anything else.
    """
    low, high = alpha_range
    expected = expected_alpha(alpha_range, count)
    try:
        array = np.atleast_1d(np.asarray(alpha))
    except (ValueError, RecursionError):  # sequences of different lengths, or that hold themselves
        array = np.array([None])
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise AlphaError(f"alpha is {_show(alpha)}; expected {expected}")
    values: tuple[float, ...] = tuple(array.astype(np.float64).tolist())
    if len(values) != count:
        raise AlphaError(f"alpha is {_show(alpha)}, {len(values)} value(s); expected {expected}")
    for value in (*values, sum(values)):
        if not math.isfinite(value) or not low - _ROUNDING <= value <= high + _ROUNDING:
            raise AlphaError(
                f"alpha {format_alpha(values)} is out of range; expected {expected}"
                + (
                    ": the path through the endpoints ends there"
                    if on_path
                    else ". A wider range has to be asked for when the model is exported (--alpha-range LO HI)."
                )
            )
    return values


def expected_alpha(alpha_range: tuple[float, float], count: int = 1) -> str:
    """What `check_alpha` takes, for a sentence."""
    low, high = alpha_range
    if count > 1:
        return f"{count} finite numbers, each and their sum in {low:g}..{high:g}"
    return f"a finite number in {low:g}..{high:g}"


def append_planes(x: NDArray[Any], alpha: Sequence[float]) -> NDArray[Any]:
    """`x` (N, C, H, W) with a constant channel for every number in `alpha` behind its own; same dtype."""
    n, _, height, width = x.shape
    values = np.array(alpha, x.dtype)[:, None, None]
    return np.concatenate([x, np.broadcast_to(values, (n, len(alpha), height, width))], axis=1)


def format_alpha(values: Iterable[float]) -> str:
    """The shortest exact text of alpha, as the command line takes it: `0.3`, or `0.2,0.5`."""
    return ",".join(f"{v:.10g}" for v in values)


def _show(alpha: object) -> str:
    """Whatever was given for alpha, shortened."""
    try:
        return reprlib.repr(alpha)
    except ValueError:  # an integer of thousands of digits
        return f"a {type(alpha).__name__}"
