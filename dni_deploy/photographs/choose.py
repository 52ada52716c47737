"""The alpha of one image file: as it was asked for, or the one that fits what is in the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy.typing as npt

from dni_deploy.image_files.jpeg_quality import jpeg_quality
from dni_runtime import Alpha, AlphaError, Model, format_alpha
from dni_runtime.calibration import AUTO, JPEG, Auto

Wanted: TypeAlias = tuple[float, ...] | Auto | None
"""An alpha as the model uses it, None where it has none; or "auto"."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The alpha of an image. `level`: what it was chosen by, such as ("noise", 24.8); None where it was given."""

    alpha: tuple[float, ...] | None
    level: tuple[str, float] | None = None

    @property
    def strength(self) -> str:
        """In words; "" where there is no alpha."""
        found = "" if self.level is None else f" ({self.level[0]} {self.level[1]:.3g})"
        return "" if self.alpha is None else f"alpha {format_alpha(self.alpha)}{found}"


def check_wanted(model: Model, alpha: Alpha | Auto | None) -> Wanted:
    """`model.check_alpha` that knows "auto". Raises AlphaError where the model cannot choose, too."""
    if isinstance(alpha, str) and alpha == AUTO:
        model.require_calibration()
        return AUTO
    return model.check_alpha(alpha)


def choose_alpha(model: Model, wanted: Wanted, file: Path, image: npt.NDArray[Any]) -> Chosen:
    """What `wanted` is for `image`, which was read from `file`. Raises AlphaError where the file does not tell."""
    if wanted is None or isinstance(wanted, tuple):
        return Chosen(wanted)
    calibration = model.require_calibration()
    if calibration.kind != JPEG:
        alpha, sigma = model.choose_alpha(image)
        return Chosen((alpha,), (calibration.kind, sigma))
    quality = jpeg_quality(file)
    if quality is None:
        raise AlphaError(
            f"{file} is no JPEG, so there is no quality to choose alpha by; expected one, or give alpha as a number"
        )
    return Chosen((calibration.nearest(quality),), (JPEG, float(quality)))
