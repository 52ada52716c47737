"""The values that options take, from text: alphas, shapes, sizes, KEY=VALUE. Raises InputError for any other text."""

import itertools
import json
import math
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from dni_runtime import InputError
from dni_runtime.calibration import AUTO

LIMIT = 1000
SHAPE_LENGTH = 4


def parse_alphas(text: str) -> list[float | tuple[float, ...] | dict[str, float]]:
    """The alphas that `text` stands for: `0.3`, `0:1:0.1`, `0.2,0.5` for three endpoints, or `alpha=0.2,tail=0.5`.

    LO:HI:STEP includes HI where a step lands on it; also by name, and of several such every one with every other.
    """
    if "=" in text:
        return [*_parse_named(text)]
    try:
        if ":" not in text:
            values = tuple(float(Decimal(part)) for part in text.split(","))
            return [values[0] if len(values) == 1 else values]
        low, high, step = (Decimal(part) for part in text.split(":"))
        # Decimals: 0.1 added up ten times is 1, so that the last file is that of endpoint A.
        count = math.floor((high - low) / step) + 1
    except (InvalidOperation, ValueError, ZeroDivisionError, OverflowError):
        raise _no_alpha(text) from None
    if not 1 <= count <= LIMIT:
        raise InputError(f"{text!r} stands for {max(count, 0)} alphas; expected LO <= HI and at most {LIMIT}")
    return [float(low + index * step) for index in range(count)]


def _parse_named(text: str) -> Iterator[dict[str, float]]:
    named = [part.partition("=") for part in text.split(",")]
    names = [name.strip() for name, _, _ in named]
    if len(set(names)) < len(names) or "" in names or any("=" in value or not value for _, _, value in named):
        raise _no_alpha(text)
    try:
        values = [parse_alphas(value) for _, _, value in named]
    except InputError:
        raise _no_alpha(text) from None
    if (count := math.prod(map(len, values))) > LIMIT:
        raise InputError(f"{text!r} stands for {count} alphas; expected at most {LIMIT}")
    for each in itertools.product(*values):
        yield dict(zip(names, each, strict=True))  # type: ignore[arg-type]  # no commas, so numbers


def _no_alpha(text: str) -> InputError:
    return InputError(
        f"{text!r} is no alpha; expected a number (0.3), LO:HI:STEP (0:1:0.1), two numbers (0.2,0.5) for three "
        "endpoints, or one for each knob by its name (alpha=0.2,tail=0.5)"
    )


def parse_places(text: str) -> tuple[float, ...]:
    """`0,0.3,1`: where checkpoints lie along alpha."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{text!r} is no list of places; expected numbers such as 0,0.3,1") from None


def parse_levels(text: str) -> list[float]:
    """The levels that `text` stands for: `5:75:5`, or `5,15,25,50`."""
    try:
        (first, *others) = parse_alphas(text)
    except InputError:
        raise InputError(f"{text!r} is no list of levels; expected LO:HI:STEP (5:75:5) or numbers (5,15,25)") from None
    if isinstance(first, dict):
        raise InputError(f"{text!r} is no list of levels; expected LO:HI:STEP (5:75:5) or numbers (5,15,25)")
    return [*first] if isinstance(first, tuple) else [first, *(level for level in others if isinstance(level, float))]


def parse_alphas_or_auto(text: str) -> list[Any]:
    """What `parse_alphas` gives, or `auto` for the alpha that fits each image."""
    return [AUTO] if text.strip() == AUTO else parse_alphas(text)


def parse_shape(text: str) -> tuple[int, ...]:
    """`1,3,64,64`: batch, channels, height, width."""
    parts = text.split(",")
    if len(parts) != SHAPE_LENGTH or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise InputError(f"{text!r} is no shape; expected four whole numbers such as 1,3,64,64")
    return tuple(int(part) for part in parts)


def parse_size(text: str) -> tuple[int, int]:
    """`64x48`: height and width."""
    height, _, width = text.lower().partition("x")
    if not all(part.isdecimal() and int(part) for part in (height, width)):
        raise InputError(f"{text!r} is no size; expected height and width such as 64x64")
    return int(height), int(width)


def parse_argument(text: str) -> tuple[str, Any]:
    """`features=64`: the name of a parameter in Python, and a number, true, false, null, a list or else a text."""
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise InputError(f"{text!r} is no KEY=VALUE; expected something like features=64")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def parse_setting(text: str) -> tuple[str, str]:
    """`device=GPU`: any name, and a text."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InputError(f"{text!r} is no KEY=VALUE; expected something like device=GPU")
    return key, value


def parse_knob(text: str) -> tuple[str, str]:
    """`tail=conv_last*`: a name, and a pattern for names of parameters."""
    name, equals, pattern = text.partition("=")
    if not equals or not name or not pattern:
        raise InputError(f"{text!r} is no NAME=PATTERN; expected something like tail=conv_last*")
    return name, pattern
