"""What a run is to make, and what came of each: they travel between the steps, the machines and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .choose import Chosen, Wanted
from .inputs import Found
from .names import Naming, label_alphas
from .places import AS_INPUTS, place_results


@dataclass(frozen=True, slots=True)
class Planned:
    """A result to be made. `alpha`: as the model uses it, None where it has none; or "auto"."""

    input: Path
    output: Path
    alpha: Wanted

    def result(
        self,
        seconds: float = 0.0,
        error: str | None = None,
        *,
        chosen: Chosen | None = None,
        kept: bool = False,
        notes: tuple[str, ...] = (),
    ) -> EnhancedFile:
        """What came of it."""
        found = chosen or Chosen(self.alpha if isinstance(self.alpha, tuple) else None)
        return EnhancedFile(self.input, self.output, found.alpha, seconds, error, kept, found.level, notes)


@dataclass(frozen=True, slots=True)
class EnhancedFile:
    """One result.

    input:    the image file that it was made of.
    output:   where it is.
    alpha:    as the model used it, None where the model has none, and where "auto" found none or did in an earlier run.
    seconds:  in the network, padding and tiling; without reading and writing the files.
    error:    None where `output` was written, else why it was not.
    kept:     `output` was there already and was left: finished by an earlier run of the same job, or to be skipped.
    level:    what "auto" chose alpha by, such as ("noise", 24.8) or ("jpeg", 40); None for an alpha that was given.
    notes:    what else is worth knowing, in words: what of the input is not in the result, for example.
    """

    input: Path
    output: Path
    alpha: tuple[float, ...] | None
    seconds: float
    error: str | None = None
    kept: bool = False
    level: tuple[str, float] | None = None
    notes: tuple[str, ...] = ()

    @property
    def strength(self) -> str:
        """What it was made with, in words; "" where there is nothing to say."""
        return Chosen(self.alpha, self.level).strength

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "input": str(self.input), "output": str(self.output)}


def plan_results(found: Found, output: Path, alphas: Sequence[Wanted], naming: Naming = AS_INPUTS) -> list[Planned]:
    """What `enhance_files` makes at `alphas`, an input's results one after another.

    Raises InputError and OutputError as it does; that results exist is left to whoever makes them.
    """
    targets = place_results(found, output, label_alphas(alphas), naming)
    return [
        Planned(file, target, alpha)
        for file, row in zip(found.files, targets, strict=True)
        for target, alpha in zip(row, alphas, strict=True)
    ]
