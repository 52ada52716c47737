"""The arguments of an export, checked once, and what follows from them: names and metadata."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dni_runtime import Alpha, Endpoint, ExportError, Metadata, check_alpha
from dni_runtime.files.fields import is_span
from dni_runtime.metadata import LIMIT_VALUE

from .checking.verify import tolerance_of
from .checkpoints.checkpoint import Checkpoint
from .graphs.delta import DELTAS
from .graphs.single_input import SINGLE_INPUTS, SINGLE_OPSET
from .networks.probe import ImageContract

DTYPES = ("float32", "float16")
WEIGHTS = ("embed", "external", "link")

# Since then DequantizeLinear takes a scale for each channel (onnx/docs/Changelog.md).
_INT8_OPSET = 13


@dataclass(frozen=True, slots=True)
class Job:
    """What to make. `alphas` is empty for an alpha-input model; `tolerance` is None for no verification."""

    output: Path
    alphas: tuple[tuple[float, ...], ...]
    alpha_range: tuple[float, float]
    alpha_default: tuple[float, ...] | None
    static: bool
    opset: int | None
    dtype: str
    delta: str | None
    single_input: str | None
    weights: str
    tolerance: float | None

    @property
    def half(self) -> bool:
        return self.dtype == "float16"

    @property
    def plane(self) -> bool:
        """Whether alpha comes as channels of the image."""
        return self.single_input == "plane"

    def outputs(self) -> list[Path]:
        """The final name of every model: `output` itself, or one name per alpha inside it."""
        if len(self.alphas) > 1 or (self.alphas and (self.output.is_dir() or not self.output.suffix)):
            if self.output.suffix == ".onnx" and not self.output.is_dir():
                raise ExportError(
                    f"{len(self.alphas)} alphas make as many files, {self.output} names one; give a folder: -o "
                    f"{self.output.with_suffix('')}"
                )
            return [self.output / f"alpha-{text}.onnx" for text in _file_texts(self.alphas)]
        if self.output.suffix != ".onnx":
            raise ExportError(
                f"the output {self.output} has no .onnx suffix; expected a name such as {self.output}.onnx"
            )
        return [self.output]

    def describe(
        self, architecture: str, contract: ImageContract, checkpoints: Sequence[Checkpoint], opset: int
    ) -> Metadata:
        """The metadata of the model.

        Raises ExportError where `opset`, which the model came out with, is not the one that was asked for.
        """
        if self.opset not in (None, opset):
            raise ExportError(
                f"the model came out with opset {opset}, --opset asked for {self.opset}; PyTorch could not convert "
                "it: leave --opset out or ask for the one it made"
            )
        if self.delta == "int8" and opset < _INT8_OPSET:
            raise ExportError(
                f"--delta int8 needs opset {_INT8_OPSET} or later, where DequantizeLinear has a scale for each "
                f"channel; the model is of opset {opset}"
            )
        return Metadata(
            endpoints=tuple(Endpoint(c.name, c.sha256) for c in checkpoints),
            alpha_range=self.alpha_range,
            alpha_default=self.alpha_default,
            alpha_plane=self.plane,
            architecture=architecture,
            scale=contract.scale,
            size_multiple=contract.size_multiple,
            size_minimum=contract.size_minimum,
            overlap=contract.overlap,
            color={1: "L", 3: "RGB"}.get(contract.input_shape[1], ""),
            dtype=self.dtype,
            opset=opset,
            tool=f"dni-deploy {tool_version()}",
        )


def check_job(
    output: Path,
    endpoint_count: int,
    *,
    alpha_input: bool,
    alphas: Sequence[Alpha] | None,
    alpha_range: tuple[float, float],
    alpha_default: Alpha | None,
    static: bool,
    opset: int | None,
    dtype: str,
    delta: str | None,
    single_input: str | None,
    weights: str,
    atol: float | None,
    verify: bool,
) -> Job:
    """Raise ExportError or AlphaError for arguments that make no sense, alone or together."""
    low, high = alpha_range
    if not is_span(low, high, LIMIT_VALUE):
        raise ExportError(
            f"the alpha range is {low:g}..{high:g}; expected the smaller number first, both within {LIMIT_VALUE:g}"
        )
    if alpha_input == bool(alphas):
        raise ExportError(
            "say which model to make: one that takes alpha at run time (--alpha-input, alpha_input=True) or one "
            "for a fixed alpha (--alpha X, alphas=[X]), not both"
        )
    for name, value, allowed in (
        ("dtype", dtype, DTYPES),
        ("weights", weights, WEIGHTS),
        ("delta", delta, (None, *DELTAS)),
        ("single_input", single_input, (None, *SINGLE_INPUTS)),
    ):
        if value not in allowed:
            raise ExportError(f"{name} is {value!r}; expected one of {', '.join(filter(None, allowed))}")
    if alphas and alpha_default is not None:
        raise ExportError("--alpha-default is for --alpha-input: a baked model has no alpha to leave out")
    if alphas and weights == "link":
        raise ExportError("--weights link is for --alpha-input: a baked model holds weights that no endpoint has")
    if delta is not None:
        _check_delta(bool(alphas), weights)
    if single_input is not None:
        _check_single_input(single_input, bool(alphas), alpha_default, weights)
    if atol is not None and not atol >= 0:
        raise ExportError(f"atol is {atol}; expected 0 or more")
    count = max(1, endpoint_count - 1)  # too few endpoints are reported by their own check
    return Job(
        output=output,
        alphas=tuple(dict.fromkeys(check_alpha(alpha, alpha_range, count) for alpha in alphas or ())),
        alpha_range=alpha_range,
        alpha_default=None if alpha_default is None else check_alpha(alpha_default, alpha_range, count),
        static=static,
        opset=SINGLE_OPSET if opset is None and single_input else opset,
        dtype=dtype,
        delta=delta,
        single_input=single_input,
        weights=weights,
        tolerance=(tolerance_of(dtype, delta) if atol is None else atol) if verify else None,
    )


def _check_delta(baked: bool, weights: str) -> None:
    if baked:
        raise ExportError("--delta is for --alpha-input: a baked model holds one set of weights, and no difference")
    if weights == "link":
        raise ExportError(
            "--weights link does not go with --delta: the endpoints' own files hold no difference; "
            "use --weights embed or external"
        )


def _check_single_input(single_input: str, baked: bool, alpha_default: Alpha | None, weights: str) -> None:
    if (single_input == "baked") != baked:
        other, option = ("plane", "--alpha X") if single_input == "baked" else ("baked", "--alpha-input")
        raise ExportError(
            f"--single-input {single_input} is for {option}; give that, or --single-input {other} for what you have"
        )
    if weights != "embed":
        raise ExportError(
            f"--single-input does not go with --weights {weights}: tools that take one input read one file; "
            "use --weights embed"
        )
    if alpha_default is not None:
        raise ExportError("--alpha-default is of no use with --single-input: there is no input to leave out")


def tool_version() -> str:
    """This package's version, empty for a bare clone on sys.path."""
    try:
        return version("dni-deploy")
    except PackageNotFoundError:
        return ""


def _file_texts(alphas: Sequence[tuple[float, ...]]) -> list[str]:
    """Texts of alphas for file names, with as many decimals as tell them all apart, so that they sort."""
    texts = [f"{value:.10f}".rstrip("0") for alpha in alphas for value in alpha]
    places = max(1, *(len(text.partition(".")[2]) for text in texts))
    return ["_".join(f"{value:.{places}f}" for value in alpha) for alpha in alphas]
