"""Alphas as the command line writes them: `0.3`, `0:1:0.1`, and `0.2,0.5` for three endpoints."""

import math
from decimal import Decimal, InvalidOperation

from dni_runtime import InputError

LIMIT = 1000


def parse_alphas(text: str) -> list[float | tuple[float, ...]]:
    """The alphas that `text` stands for; LO:HI:STEP includes HI where a step lands on it.

    Raises InputError for anything else.
    """
    try:
        if ":" not in text:
            values = tuple(float(Decimal(part)) for part in text.split(","))
            return [values[0] if len(values) == 1 else values]
        low, high, step = (Decimal(part) for part in text.split(":"))
        # Decimals: 0.1 added up ten times is 1, so that the last file is that of endpoint A.
        count = math.floor((high - low) / step) + 1
    except (InvalidOperation, ValueError, ZeroDivisionError, OverflowError):
        raise InputError(
            f"{text!r} is no alpha; expected a number (0.3), LO:HI:STEP (0:1:0.1), or for three endpoints two "
            "numbers (0.2,0.5)"
        ) from None
    if not 1 <= count <= LIMIT:
        raise InputError(f"{text!r} stands for {max(count, 0)} alphas; expected LO <= HI and at most {LIMIT}")
    return [float(low + index * step) for index in range(count)]
