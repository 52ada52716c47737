"""The one definition of a valid alpha, shared by export, runtime and command line."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, SupportsFloat, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import AlphaError
from .files.fields import FieldError, Fields, show

Alpha: TypeAlias = SupportsFloat | Sequence[SupportsFloat] | NDArray[Any] | Mapping[str, SupportsFloat]
"""The share of endpoint A; with K > 2 endpoints the shares of all but the last, K - 1 numbers. On a path: where.

Of a model with knobs one number for each, in their order or by name."""

Key: TypeAlias = tuple[float, ...]
"""Alpha as the runtime passes it on: checked, one float for every endpoint but the last."""

# A step such as 0:1:0.1 or a float32 round trip may overshoot an end of the range by rounding alone.
_ROUNDING = 1e-6

ALPHA = "alpha"
"""What the input is called; with knobs that of the parameters that have none."""
MOST_KNOBS = 31
MOST_PATTERNS = 64
KNOB_NAMES = 'names of letters, digits and _ of ASCII, 64 at most, and not "alpha"'
_KNOB_NAME = re.compile("[A-Za-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class Knob:
    """An alpha of their own for some of a model's parameters.

    name:     see `is_knob_name`.
    patterns: which names of parameters it is for, as `fnmatch` takes them.
    """

    name: str
    patterns: tuple[str, ...]

    @property
    def input_name(self) -> str:
        """Of its input in a file."""
        return f"{ALPHA}_{self.name}"

    def to_dict(self) -> dict[str, str | list[str]]:
        """Plain data for JSON."""
        return {"name": self.name, "patterns": list(self.patterns)}


def read_knobs(fields: Fields, name: str) -> tuple[Knob, ...]:
    """What `Knob.to_dict` wrote, of whoever wrote it. Raises FieldError for what makes no knobs."""
    knobs = tuple(
        Knob(each.text("name"), each.list_of_texts("patterns", MOST_PATTERNS))
        for each in fields.list_of_inner(name, MOST_KNOBS)
    )
    names = [knob.name for knob in knobs]
    if not knobs or len({name.casefold() for name in names}) != len(names) or not all(map(is_knob_name, names)):
        raise FieldError(f"alpha.{name} has the names {show(names)}; expected {KNOB_NAMES}, each once")
    return knobs


def is_knob_name(name: str) -> bool:
    """Whether a knob can be called so: the name of its input is made of it."""
    return _KNOB_NAME.fullmatch(name) is not None and name.casefold() != ALPHA


def check_alpha(
    alpha: Alpha,
    alpha_range: tuple[float, float],
    count: int = 1,
    *,
    on_path: bool = False,
    knobs: Sequence[str] = (),
) -> tuple[float, ...]:
    """Return alpha as `count` floats that lie in `alpha_range`.

    alpha:       one number (a Python or NumPy scalar, an array of one element) or `count` of them: the shares of all
                 endpoints but the last, which takes the rest. Their sum has to lie in the range too, so that the
                 last endpoint's share stays as near to 0..1 as the others'.
    alpha_range: smallest and largest alpha.
    count:       how many numbers; one fewer than there are endpoints.
    on_path:     whether alpha is a place on a path, which ends where its range does.
    knobs:       the names of the numbers, where each is an alpha of its own: then alpha may be a mapping of all of
                 them, or one number for all, and their sum does not matter.

    Raises AlphaError for anything else.
    """
    low, high = alpha_range
    expected = expected_alpha(alpha_range, count, knobs)
    if isinstance(alpha, Mapping):
        if set(alpha) != set(knobs):
            raise AlphaError(f"alpha is {_show(dict(alpha))}; expected {expected}")
        alpha = [alpha[name] for name in knobs]
    try:
        array = np.atleast_1d(np.asarray(alpha))
    except (ValueError, RecursionError):  # sequences of different lengths, or that hold themselves
        array = np.array([None])
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise AlphaError(f"alpha is {_show(alpha)}; expected {expected}")
    values: tuple[float, ...] = tuple(array.astype(np.float64).tolist())
    if knobs and len(values) == 1:
        values *= count
    if len(values) != count:
        raise AlphaError(f"alpha is {_show(alpha)}, {len(values)} value(s); expected {expected}")
    for value in values if knobs else (*values, sum(values)):
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


def expected_alpha(alpha_range: tuple[float, float], count: int = 1, knobs: Sequence[str] = ()) -> str:
    """What `check_alpha` takes, for a sentence."""
    low, high = alpha_range
    if knobs:
        return f"a finite number in {low:g}..{high:g}, or {count} of them, for {', '.join(knobs)}"
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
