"""What a fit is asked to be: its arguments in one object, checked once, without PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dni_exporters.clock import Progress
from dni_exporters.networks.arguments import is_known, noise_levels
from dni_exporters.sources import UNIT, EndpointSource, Span, source_name
from dni_exporters.torch_types import nn
from dni_runtime import EndpointError, InputError, OutputError

CURVES = {"quadratic": 1, "cubic": 2}
"""How many middles each has."""
DEGRADE = ("noise:0:15", "jpeg:50:95")
MINUTES = 10.0
_MOST_SEED = 2**32 - 1

Shown: TypeAlias = Callable[[str, Sequence[tuple[str, NDArray[np.float32]]]], None]
"""Called with a photograph's name, and what to write below each picture, float32 (H, W, C) in 0..1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitJob:
    """The arguments of `fit`, which says what each means. Raises a DniError for what makes no sense.

    No file is looked at.
    """

    endpoints: Sequence[EndpointSource]
    output: str | PathLike[str]
    photos: str | PathLike[str]
    teach: bool
    curve: str
    start: EndpointSource | None
    arch: str | nn.Module
    arch_args: Mapping[str, Any] | None
    value_range: Span
    arch_b: str | nn.Module | None
    range_b: Span
    degrade: Sequence[str]
    minutes: float | None
    steps: int | None
    seed: int
    threads: int | None
    resume: bool
    anyway: bool
    force: bool
    progress: Progress | None
    shown: Shown | None

    def __post_init__(self) -> None:
        if len(self.endpoints) != 2:
            raise EndpointError(f"{len(self.endpoints)} endpoints given; a fit is between two, A and B")
        first, last = self.endpoints
        if first is last or (
            not isinstance(first, Mapping) and not isinstance(last, Mapping) and Path(first) == Path(last)
        ):
            raise EndpointError(f"A and B are both {source_name(first, 0)}; expected two checkpoints")
        if self.curve not in CURVES:
            raise InputError(f"curve is {self.curve!r}; expected one of {', '.join(CURVES)}")
        if Path(self.output).suffix.lower() != ".safetensors":
            raise OutputError(
                f"the output {self.output} has no .safetensors suffix; expected a name such as C.safetensors"
            )
        if self.teach and self.curve != "quadratic":
            raise InputError("--curve is for fits without --teach, which writes one network and no curve")
        if self.start is not None and self.curve != "quadratic":
            raise InputError("--start is one middle, or a network that was taught; a cubic curve has two middles")
        if self.arch_b is not None and not self.teach:
            raise InputError("--arch-b is for --teach: a curve joins networks of one architecture; give --arch")
        if tuple(self.range_b) != UNIT and self.arch_b is None:
            raise InputError("--range-b is for --arch-b: without it B is a network like A, and --range tells of both")
        for name, value in (("minutes", self.minutes), ("steps", self.steps), ("threads", self.threads)):
            if value is not None and not (isinstance(value, float | int) and value > 0 and math.isfinite(value)):
                raise InputError(f"{name} is {value!r}; expected a number, more than 0")
            if value is not None and name != "minutes" and value % 1:
                raise InputError(f"{name} is {value}; expected a whole number")
        if isinstance(self.degrade, str):
            raise InputError(f"degrade is one text; expected a list of them: degrade=[{self.degrade!r}]")
        if not isinstance(self.seed, int) or not 0 <= self.seed <= _MOST_SEED:
            raise InputError(f"seed is {self.seed!r}; expected a whole number in 0..{_MOST_SEED}")

    @property
    def noise(self) -> list[float] | None:
        """The noise level that the network of each endpoint is told; None where nobody said one."""
        levels = noise_levels(self.arch_args, len(self.endpoints)) if is_known(self.arch) else None
        return None if levels is None else list(levels)

    @property
    def middles(self) -> int:
        """Of the curve; 0 where B is taught."""
        return 0 if self.teach else CURVES[self.curve]

    @property
    def outputs(self) -> list[Path]:
        """A file for each learnt point."""
        output = Path(self.output)
        if self.middles < 2:
            return [output]
        return [output.with_name(f"{output.stem}-{number}{output.suffix}") for number in range(1, self.middles + 1)]

    @property
    def state(self) -> Path:
        """The file of what an unfinished fit leaves."""
        output = Path(self.output)
        return output.with_name(f"{output.stem}.state{output.suffix}")
