"""What alpha fits an image: for levels of noise or of JPEG's quality, the alpha that came out best, and all between."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from .errors import AlphaError
from .files.fields import FieldError, Fields, show

Auto: TypeAlias = Literal["auto"]
"""In place of an alpha: the one that fits the image."""
AUTO: Auto = "auto"

NOISE, JPEG = "noise", "jpeg"
KINDS = {NOISE: "sigma of the noise, of 255", JPEG: "quality of the JPEG"}
"""What a model can be calibrated for, and what a level is then."""
_LEVELS = {NOISE: (0.0, 255.0), JPEG: (1.0, 100.0)}
_MOST_LEVELS = 256


@dataclass(frozen=True, slots=True)
class Calibration:
    """The alpha for each level of what is wrong with an image; between two levels it is interpolated.

    kind:   what a level is: "noise" (sigma of Gaussian noise, of 255) or "jpeg" (a JPEG's quality, 1 to 100).
    levels: rising, two or more.
    alphas: the alpha for each of them.
    """

    kind: str
    levels: tuple[float, ...]
    alphas: tuple[float, ...]

    def nearest(self, level: float) -> float:
        """The alpha for `level`; beyond the first or last level the one for that.

        Of three decimals: what is estimated differs from frame to frame in digits that nobody sees.
        """
        alpha = round(float(np.interp(level, self.levels, self.alphas)), 3)
        return min(max(alpha, min(self.alphas)), max(self.alphas))

    def alpha_at(self, level: float) -> float:
        """The alpha for `level`. Raises AlphaError beyond the levels that were looked at."""
        low, high = self.levels[0], self.levels[-1]
        if not low <= level <= high:
            raise AlphaError(
                f"{self.kind} is {level:g}; the model is calibrated for {low:g}..{high:g}. Calibrate it for more "
                "(dni calibrate), or give alpha as a number"
            )
        return self.nearest(level)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"kind": self.kind, "levels": list(self.levels), "alphas": list(self.alphas)}


def why_no_levels(kind: str, levels: Sequence[float]) -> str | None:
    """Why a model cannot be calibrated for these: what was got and what was expected; None where it can."""
    low, high = _LEVELS[kind]
    rise = all(a < b for a, b in itertools.pairwise(levels))
    if rise and 2 <= len(levels) <= _MOST_LEVELS and low <= levels[0] and levels[-1] <= high:
        return None
    return f"{show(list(levels))}; expected 2 to {_MOST_LEVELS} numbers in {low:g}..{high:g}, each above the one before"


def read_calibration(fields: Fields, alpha_range: tuple[float, float]) -> Calibration:
    """What `Calibration.to_dict` wrote, of whoever wrote it. Raises FieldError."""
    kind = fields.one_of("kind", KINDS)
    levels, alphas = (fields.list_of_numbers(name, _MOST_LEVELS) for name in ("levels", "alphas"))
    if reason := why_no_levels(kind, levels):
        raise FieldError(f"calibration.levels is {reason}")
    low, high = alpha_range
    if len(alphas) != len(levels) or not all(low <= alpha <= high for alpha in alphas):
        fields.refuse("alphas", f"{len(levels)} numbers in {low:g}..{high:g}, one for each level")
    return Calibration(kind, tuple(map(float, levels)), tuple(map(float, alphas)))
