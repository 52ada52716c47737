"""What was made, measured and found: plain data, for people and as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dni_runtime import format_alpha
from dni_runtime.alpha import ALPHA, Knob
from dni_runtime.files.printable import printable
from dni_runtime.shares import Path as AlphaPath

from .checkpoints.endpoints import Lineage
from .verdict.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Parity:
    """The largest difference between the written model and PyTorch at one alpha, over all probe images.

    error and bound are absolute, in units of the output; bound = tolerance * max(1, |reference|max).
    """

    alpha: tuple[float, ...]
    error: float
    bound: float

    @property
    def share(self) -> float:
        """The error as a share of its bound; 0 where there is none, for a bound of 0 (--atol 0) too."""
        return self.error / self.bound if self.error else 0.0


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One written model.

    alpha:  the pinned alpha; None for an alpha-input model.
    bytes:  of the model with its external weights; linked weights are not counted.
    parity: one entry per verified alpha; empty where verification was turned off.
    """

    path: Path
    alpha: tuple[float, ...] | None
    bytes: int
    parity: tuple[Parity, ...]


@dataclass(frozen=True, slots=True)
class ExportReport:
    """All that a user may want to know about an export.

    parameters: number of elements of one endpoint's floating-point tensors.
    delta:      how differences between endpoints are stored; None where the endpoints are.
    scale, size_multiple, size_minimum, size_square, overlap, view: as in the model's metadata, lengths in pixels.
    lineage:    of the first endpoint and the one least alike.
    verdict:    whether blends work, from what they do to photographs; None where nobody asked.
    seconds:    wall time by step, in the order of the steps.
    path:       along which alpha leads; None where it is the endpoints' shares. `endpoints` are in its order then.
    knobs:      which parameters have an alpha of their own, in the order of alpha's numbers after the first.
    """

    files: tuple[ExportedFile, ...]
    endpoints: tuple[str, ...]
    architecture: str
    parameters: int
    scale: float | None
    size_multiple: int
    size_minimum: int
    overlap: int | None
    dtype: str
    delta: str | None
    opset: int
    lineage: Lineage
    verdict: Verdict | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    seconds: Mapping[str, float]
    path: AlphaPath | None = None
    knobs: tuple[Knob, ...] = ()
    view: str | None = None
    size_square: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data = asdict(self)
        for file in data["files"]:
            file["path"] = str(file["path"])
        return data

    def summary(self) -> str:
        """A few lines for people."""
        lines = [f"{self.architecture}, {self.parameters:,} parameters, scale {_number(self.scale)}, {self.dtype}"]
        if self.path is not None:
            lines.append(f"alpha goes {self.path.tell(self.endpoints)}")
        if self.knobs:
            each = (f"{knob.name} for {', '.join(knob.patterns)}" for knob in self.knobs)
            lines.append(f"alphas: {ALPHA}; {'; '.join(each)}")
        for file in self.files:
            what = "alpha-input" if file.alpha is None else f"alpha {format_alpha(file.alpha)}"
            if self.delta is not None:
                what += f" ({self.delta} delta; one endpoint in float32 {4 * self.parameters / 1e6:.2f} MB)"
            worst = max(file.parity, key=lambda p: p.share, default=None)
            checked = (
                "not verified"
                if worst is None
                else f"equals PyTorch within {worst.error:.1e} (bound {worst.bound:.1g}) at "
                f"{len(file.parity)} alpha{'s' * (len(file.parity) > 1)}"
            )
            lines.append(f"{file.path}  {file.bytes / 1e6:.2f} MB  {what}  {checked}")
        if self.verdict is not None:
            lines.append(self.verdict.text)
        return "\n".join(map(printable, lines))


@dataclass(frozen=True, slots=True)
class BlendReport:
    """What `write_blend` wrote.

    blended: how many tensors were blended; the others are integers, equal in all endpoints.
    lineage: of the first and the last endpoint.
    """

    path: Path
    alpha: tuple[float, ...]
    bytes: int
    tensors: int
    blended: int
    lineage: Lineage
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "path": str(self.path)}


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of a network's output for the probe image, in units of the output (usually 0..1)."""

    alpha: float
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class EndpointsReport:
    """Whether two endpoints can be blended, and whether the result promises anything.

    reasons:     why they cannot be, in sentences ("a.pth is RealESRGAN Compact x4, b.pth is ESRGAN x2").
    differences: in which tensors they differ, a line for each; both are empty where they can be blended.
    lineage:     None where they cannot be blended.
    outputs:     at alpha 1, 0.5 and 0, for a small picture with slopes, edges and noise. A middle whose
                 deviation is far below both ends' is grey: the networks do not interpolate.
    verdict:     whether blends work, from what they do to photographs; None where the endpoints cannot be blended.
    notes:       for the user.
    """

    endpoints: tuple[str, ...]
    tensors: int
    parameters: int
    architecture: str
    scale: float | None
    differences: tuple[str, ...]
    lineage: Lineage | None
    outputs: tuple[Statistics, ...]
    notes: tuple[str, ...]
    verdict: Verdict | None = None
    reasons: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CheckpointReport:
    """What one checkpoint is.

    bytes:        of the file, or of all parts; None for a state dict given in Python.
    architecture: empty where the network is unknown; `settings` are what spandrel built it with.
    channels:     of its input and output; None where the network cannot be run.
    parameters:   number of learnt elements; of an unknown network, of all floating-point tensors.
    dtypes:       number of tensors of each.
    nesting, prefix, values: where the weights are in the file, what stands before each name, and beside them.
    """

    name: str
    bytes: int | None
    sha256: str
    architecture: str
    settings: Mapping[str, str]
    scale: float | None
    channels: tuple[int, int] | None
    tensors: int
    parameters: int
    dtypes: Mapping[str, int]
    nesting: tuple[str, ...]
    prefix: str
    values: Mapping[str, str | int | float | bool]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:g}"
