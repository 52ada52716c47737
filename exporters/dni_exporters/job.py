"""What an export is asked to be: its arguments in one object, checked once, without PyTorch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any

from dni_runtime import Alpha, ExportError
from dni_runtime.files.fields import is_span
from dni_runtime.metadata import LIMIT_VALUE

from .checking.tolerance import STORED_AS_FLOAT16, tolerance_of
from .clock import Progress
from .outputs import FORMATS, model_paths, names_with_scale
from .sources import EndpointSource, Route, listed
from .tools.table import TOOLS, settings_for
from .tools.versions import check_ir_version, least_ir_version, opset_for
from .torch_types import nn

DTYPES = ("float32", "float16")
WEIGHTS = ("embed", "external", "link")
DELTAS = ("int8", "float16")
SINGLE_INPUTS = ("baked", "plane")

_SHAPE_LENGTH = 4
# Of the image to trace with: a gigabyte, before the network makes anything of it.
_MOST_NUMBERS = 2**28
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
        if self.is_for_ncnn and self.alpha_input:
            raise ExportError(
                "--format ncnn does not go with --alpha-input: the weights in ncnn's files are fixed; give --alpha X, "
                "or a list of them. For alpha at run time write an ONNX file with --ncnn-form, or blend two of ncnn's "
                "files in your program (docs/how-to/ncnn.md)"
            )
        if self.alpha_input == self.baked:
            raise ExportError(
                "say which model to make: one that takes alpha at run time (--alpha-input, alpha_input=True) or one "
                "for a fixed alpha (--alpha X, alphas=[X]), not both"
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
        if self.baked:
            self._check_baked()
        if self.delta is not None and self.weights == "link":
            raise ExportError(
                "--weights link does not go with --delta: the endpoints' own files hold no difference; "
                "use --weights embed or external"
            )
        if self.single_input is not None:
            self._check_single_input(self.single_input)
        if self.ncnn_form:
            self._check_ncnn_form()
        if self.is_for_ncnn:
            self._check_ncnn_files()
        if self.ir_version is not None:
            check_ir_version(self.ir_version, self.opset)
        self._check_shape()
        if self.atol is not None and not self.atol >= 0:
            raise ExportError(f"atol is {self.atol}; expected 0 or more")
        _ = self.pinned, self.default, self.outputs  # alphas and names that cannot be

    def _check_shape(self) -> None:
        if (shape := self.input_shape) is None:
            return
        sides = [side for side in shape if isinstance(side, Integral) and side > 0]
        if not len(shape) == len(sides) == _SHAPE_LENGTH or math.prod(sides) > _MOST_NUMBERS:
            raise ExportError(
                f"input_shape is {shape!r:.100}; expected N, C, H and W, whole numbers from 1 on, of an image of "
                f"{_MOST_NUMBERS:,} numbers at most, such as (1, 3, 64, 64)"
            )

    def _check_baked(self) -> None:
        if self.alpha_default is not None:
            raise ExportError("--alpha-default is for --alpha-input: a baked model has no alpha to leave out")
        if self.weights == "link":
            raise ExportError("--weights link is for --alpha-input: a baked model holds weights that no endpoint has")
        if self.delta is not None:
            raise ExportError("--delta is for --alpha-input: a baked model holds one set of weights, and no difference")

    def _check_single_input(self, kind: str) -> None:
        if (kind == "baked") != self.baked:
            other, option = ("plane", "--alpha X") if kind == "baked" else ("baked", "--alpha-input")
            raise ExportError(
                f"--single-input {kind} is for {option}; give that, or --single-input {other} for what you have"
            )
        if self.weights != "embed":
            raise ExportError(
                f"--single-input does not go with --weights {self.weights}: tools that take one input read one file; "
                "use --weights embed"
            )
        if self.alpha_default is not None:
            raise ExportError("--alpha-default is of no use with --single-input: there is no input to leave out")

    def _check_ncnn_form(self) -> None:
        for asked, option in (
            (self.half, "--dtype float16"),
            (self.plane, "--single-input plane"),
            (self.static, "--static"),
            (self.is_blended_again, f"--for {self.tool}"),
        ):
            if asked:
                raise ExportError(
                    f"--ncnn-form does not go with {option}: in ncnn a model computes in float32, has an alpha of its "
                    "own, takes images of all sizes, and keeps its weights in no special place; leave one of the two "
                    "out"
                )

    def _check_ncnn_files(self) -> None:
        for asked, option in (
            (self.weights != "embed", f"--weights {self.weights}"),
            (self.single_input, f"--single-input {self.single_input}"),
            (self.opset is not None, "--opset"),
            (self.ir_version is not None, "--ir-version"),
            (self.ncnn_form, "--ncnn-form"),
            (self.static, "--static"),
        ):
            if asked:
                raise ExportError(
                    f"--format ncnn does not go with {option}: what is written is no ONNX file, but a .param file for "
                    "images of all sizes, with its weights in a .bin file; leave one of the two out"
                )

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
