"""What an export is asked to be: its arguments in one object, checked once, without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any

from dni_runtime import Alpha, ExportError
from dni_runtime.files.fields import is_span
from dni_runtime.metadata import LIMIT_VALUE

from .asked.conflicts import check_shape, check_together
from .asked.tools import TOOLS, settings_for
from .asked.versions import check_ir_version, least_ir_version, opset_for
from .checking.tolerance import STORED_AS_FLOAT16, tolerance_of
from .clock import Progress
from .outputs import FORMATS, model_paths, names_with_scale
from .sources import EndpointSource, Route, listed
from .torch_types import nn

DTYPES = ("float32", "float16")
WEIGHTS = ("embed", "external", "link")
DELTAS = ("int8", "float16")
SINGLE_INPUTS = ("baked", "plane")

# The newest that ONNX Runtime 1.14 reads; chaiNNer has installed 1.15 to 1.23.
_SINGLE_IR = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportJob:
    """The arguments of `export`, which says what each means and what it is where none is given.

    Raises ExportError or AlphaError for arguments that make no sense, alone or together. No file is looked at.
    """

    endpoints: Sequence[EndpointSource]
    through: Sequence[EndpointSource]
    curve: bool
    path: bool
    at: Sequence[float] | None
    knobs: Mapping[str, str | Sequence[str]] | None
    output: str | PathLike[str]
    tool: str | None
    format: str | None
    alpha_input: bool
    alphas: Sequence[Alpha] | None
    arch: str | nn.Module
    arch_args: Mapping[str, Any] | None
    value_range: tuple[float, float]
    alpha_range: tuple[float, float]
    alpha_default: Alpha | None
    input_shape: tuple[int, int, int, int] | None
    static: bool
    opset: int | None
    ir_version: int | None
    dtype: str
    delta: str | None
    single_input: str | None
    weights: str
    ncnn_form: bool
    atol: float | None
    verify: bool
    verdict: bool
    force: bool
    progress: Progress | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "through", listed(self.through))
        for name in ("alphas", "at"):  # they are read more than once
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, tuple(given))
        if self.tool is not None:
            for name, value in settings_for(
                self.tool, {each.name: getattr(self, each.name) for each in fields(self)}, baked=self.baked
            ).items():
                object.__setattr__(self, name, value)
        low, high = self.range
        if not is_span(low, high, LIMIT_VALUE):
            raise ExportError(
                f"the alpha range is {low:g}..{high:g}; expected the smaller number first, both within {LIMIT_VALUE:g}"
            )
        for name, value, allowed in (
            ("format", self.format, (None, *FORMATS)),
            ("dtype", self.dtype, DTYPES),
            ("weights", self.weights, WEIGHTS),
            ("delta", self.delta, (None, *DELTAS)),
            ("single_input", self.single_input, (None, *SINGLE_INPUTS)),
        ):
            if value not in allowed:
                raise ExportError(f"{name} is {value!r}; expected one of {', '.join(filter(None, allowed))}")
        check_together(self)
        if self.ir_version is not None:
            check_ir_version(self.ir_version, self.opset)
        check_shape(self.input_shape)
        if self.atol is not None and not self.atol >= 0:
            raise ExportError(f"atol is {self.atol}; expected 0 or more")
        _ = self.pinned, self.default, self.outputs  # alphas and names that cannot be

    @property
    def baked(self) -> bool:
        """Whether models for fixed alphas are made, in place of one that takes alpha at run time."""
        return bool(self.alphas)

    @property
    def route(self) -> Route:
        """How the endpoints lie along alpha."""
        return Route(self.endpoints, self.through, self.curve, self.path, self.at, self.knobs)

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest alpha that the model will accept."""
        return self.route.alpha_range(self.alpha_range)

    @property
    def is_for_ncnn(self) -> bool:
        """Whether ncnn's files are made, in place of ONNX files."""
        return self.format == "ncnn"

    @property
    def is_blended_again(self) -> bool:
        """Whether the tool blends two baked files by itself."""
        return self.tool is not None and TOOLS[self.tool].blends and self.baked

    @property
    def half(self) -> bool:
        """Whether the network computes in float16. In ncnn that is the host's choice; files may store it."""
        return self.dtype == "float16" and not self.is_for_ncnn

    @property
    def plane(self) -> bool:
        """Whether alpha comes as channels of the image."""
        return self.single_input == "plane"

    @property
    def pinned(self) -> tuple[tuple[float, ...], ...]:
        """Alpha of every baked model, each once; empty for an alpha-input model."""
        return tuple(dict.fromkeys(map(self._numbers, self.alphas or ())))

    @property
    def default(self) -> tuple[float, ...] | None:
        """The numbers of `alpha_default`."""
        return None if self.alpha_default is None else self._numbers(self.alpha_default)

    @property
    def outputs(self) -> list[Path]:
        """The name of every model; where `outputs_of` a scale adds to it, the folder is right all the same."""
        return model_paths(Path(self.output), self.pinned, self.format or "onnx")

    def outputs_of(self, scale: float | None) -> list[Path]:
        """The final name of every model of a network that enlarges by `scale`, which hosts of ncnn read there."""
        if self.is_for_ncnn and Path(self.output) not in self.outputs:
            return names_with_scale(self.outputs, scale)
        return self.outputs

    @property
    def tolerance(self) -> float:
        """The allowed |difference| from PyTorch / max(1, |reference|max)."""
        if self.atol is not None:
            return self.atol
        if self.is_for_ncnn and self.dtype == "float16":
            return STORED_AS_FLOAT16
        return tolerance_of(self.dtype, self.delta)

    @property
    def wanted_opset(self) -> int | None:
        """None where any will do."""
        if self.opset is not None:
            return self.opset
        ir_version = _SINGLE_IR if self.ir_version is None and self.single_input else self.ir_version
        return None if ir_version is None else opset_for(ir_version)

    def ir_version_of(self, opset: int) -> int | None:
        """The IR version of a file with `opset`; None where any will do."""
        return least_ir_version(opset) if self.ir_version is None and self.single_input else self.ir_version

    def _numbers(self, alpha: Alpha) -> tuple[float, ...]:
        return self.route.check_alpha(alpha, self.alpha_range)
