"""The calibration of a model, from what is asked to what is written."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dni_runtime import Calibration, InputError, Model, ModelError, load
from dni_runtime.calibration import JPEG, NOISE, why_no_levels

from .best import GRID, best_alphas, monotone
from .clean import Part, find_photographs, read_parts
from .degrade import degrade
from .store import check_model, write_calibrated

Progress = Callable[[int, int], None]
"""Called with (images that were run, images in all)."""


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """What `calibrate` found and wrote.

    path:        of the model's file that holds the calibration.
    alpha_range: the smallest and largest alpha, at which the ends are.
    best_db, low_db, high_db: for each level, the PSNR to the clean photographs at the best alpha of those that were
                 tried, at the smallest and at the largest.
    photographs: how many there were; parts: cut out of them.
    """

    path: Path
    calibration: Calibration
    alpha_range: tuple[float, float]
    best_db: tuple[float, ...]
    low_db: tuple[float, ...]
    high_db: tuple[float, ...]
    photographs: int
    parts: int

    @property
    def warning(self) -> str | None:
        """Why the calibration is of no use, None where it is of some."""
        alphas, kind = self.calibration.alphas, self.calibration.kind
        if len(set(alphas)) > 1:
            return None
        return (
            f"the best alpha is {alphas[0]:g} at every level of {kind}; calibrate for others, or this model's alpha is "
            "about something else"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "path": str(self.path),
            "calibration": self.calibration.to_dict(),
            "alpha_range": list(self.alpha_range),
            "best_db": list(self.best_db),
            "low_db": list(self.low_db),
            "high_db": list(self.high_db),
            "photographs": self.photographs,
            "parts": self.parts,
            "warning": self.warning,
        }


def calibrate(
    model: str | os.PathLike[str],
    clean: str | os.PathLike[str],
    *,
    noise: Sequence[float] = (),
    jpeg: Sequence[float] = (),
    output: str | os.PathLike[str] | None = None,
    force: bool = False,
    provider: str = "auto",
    threads: int | None = None,
    progress: Progress | None = None,
) -> CalibrationReport:
    """Find the best alpha for each level of noise, or of JPEG quality, and write it into the model's file.

    model:    an ONNX file that takes one number as alpha and says so in its metadata.
    clean:    a folder of clean photographs. They are spoiled here, by each level, and the best alpha is the one with
              which the model brings them nearest to what they were: the least mean squared error, over 16 parts of
              128 x 128 input pixels. Over the levels it only rises or only falls. Photographs of the kind that the
              model is for are best, ten or more, and none that trained it.
    noise:    the levels: sigma of Gaussian noise, of 255, such as [5, 15, 25, 50]; rising, two or more.
    jpeg:     or the levels of a JPEG's quality, whole numbers of 1 to 100.
    output:   where the model goes with its calibration; None for the same file, whose graph stays as it is.
    force:    replace `output`, or the calibration that the model has.
    provider, threads: as for `dni_runtime.load`. progress: called with (images that were run, images in all).

    Nothing is written unless all of it succeeds. Raises InputError, ModelError, AlphaError or OutputError before the
    model runs for what can be known then, and whatever running it raises.
    """
    source, target = Path(model), Path(model if output is None else output)
    kind, levels = _levels(noise, jpeg)
    metadata = check_model(source, target, force=force)
    if metadata.ratio is None:
        raise ModelError(f"{source} has no scale (output size / input size) in its metadata; export it with dni-export")
    photographs = find_photographs(Path(clean))
    parts = read_parts(photographs, metadata.ratio)
    grid = np.linspace(*metadata.alpha_range, GRID)
    with load(source, provider, threads=threads) as loaded:
        errors = _errors(loaded, parts, kind, levels, grid, progress or (lambda done, total: None))
    alphas = monotone(best_alphas(grid, errors)).round(3).clip(*metadata.alpha_range)
    calibration = Calibration(kind, tuple(levels), tuple(alphas.tolist()))
    write_calibrated(source, target, calibration)
    best_db, low_db, high_db = (
        tuple(_psnr_db(error) for error in column) for column in (errors.min(axis=1), errors[:, 0], errors[:, -1])
    )
    return CalibrationReport(
        target, calibration, metadata.alpha_range, best_db, low_db, high_db, len(photographs), len(parts)
    )


def _levels(noise: Sequence[float], jpeg: Sequence[float]) -> tuple[str, list[float]]:
    if bool(noise) == bool(jpeg):
        raise InputError("give the levels of either noise or jpeg, not both or none")
    kind, levels = (NOISE, noise) if noise else (JPEG, jpeg)
    if reason := why_no_levels(kind, levels):
        raise InputError(f"the levels of {kind} are {reason}")
    if kind == JPEG and any(level != round(level) for level in levels):
        raise InputError(
            f"the levels of jpeg are {', '.join(f'{level:g}' for level in levels)}; expected whole numbers"
        )
    return kind, [float(level) for level in levels]


def _errors(
    model: Model, parts: Sequence[Part], kind: str, levels: Sequence[float], grid: Any, progress: Progress
) -> Any:
    """Mean squared errors, of 8-bit levels: float64 (levels, alphas)."""
    total = len(grid) * len(levels) * len(parts)
    errors, done = np.zeros((len(levels), len(grid))), 0
    for column, alpha in enumerate(grid):  # outermost: an alpha that holds costs nothing
        for row, level in enumerate(levels):
            for seed, part in enumerate(parts):
                result = model.enhance(degrade(part.given, kind, level, seed), float(alpha))
                difference = result.astype(np.float64) - part.wanted
                errors[row, column] += np.square(difference).mean() / len(parts)
                done += 1
                progress(done, total)
    return errors


def _psnr_db(error: float) -> float:
    return 10 * math.log10(255**2 / max(error, 1e-10))
