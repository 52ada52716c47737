"""Can these endpoints be blended, and do they look as if one was fine-tuned from the other?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dni_exporters.sources import StateDict, check_count
from dni_exporters.torch_types import Tensor
from dni_runtime import EndpointError

if TYPE_CHECKING:
    from .checkpoint import Checkpoint
else:
    Checkpoint = Any  # its module imports PyTorch

# Independent layers of a network have cosine similarities around 0, fine-tuned ones near 1 (the paper's
# section 3.2 and figure 4 show the same for its filters' order); between lies a wide gap to put the line in.
UNRELATED_COSINE = 0.3
# Batches seen while training, in which two fine-tuned networks always differ, and what the profiler thop counted.
# No inference reads them.
LEFTOVERS = ("num_batches_tracked", "total_ops", "total_params")
# Of a message; networks of two architectures differ in thousands of places.
MOST_LINES = 10


def differences(endpoints: Sequence[Checkpoint]) -> list[str]:
    """Every reason why `endpoints` cannot be blended, one line each, in the order of the first one's tensors.

    Floating-point dtypes may differ (see `promotions`), and so may what no inference reads.
    """
    first, lines = endpoints[0], []
    for other in endpoints[1:]:
        for name, a in first.tensors.items():
            if is_leftover(name):
                continue
            if name not in other.tensors:
                lines.append(f"{name}: missing in {other.name}")
                continue
            b = other.tensors[name]
            if a.shape != b.shape:
                lines.append(f"{name}: shape {_shape(a)} in {first.name}, {_shape(b)} in {other.name}")
            elif a.dtype != b.dtype and not (a.is_floating_point() and b.is_floating_point()):
                lines.append(f"{name}: dtype {_dtype(a)} in {first.name}, {_dtype(b)} in {other.name}")
            elif not a.is_floating_point() and not a.equal(b):
                lines.append(
                    f"{name}: {_dtype(a)} values differ between {first.name} and {other.name}; only "
                    "floating-point tensors can be blended"
                )
        lines += [
            f"{name}: missing in {first.name}"
            for name in other.tensors
            if name not in first.tensors and not is_leftover(name)
        ]
    return lines


def is_leftover(name: str) -> bool:
    """Whether a tensor of this name is left from training or measuring, and read by no inference."""
    return name.rpartition(".")[2] in LEFTOVERS


def promotions(endpoints: Sequence[Checkpoint], into: str = "one that holds all of them") -> list[str]:
    """A note on floating-point dtypes that differ between `endpoints`, and `into` which they are blended; or none."""
    kinds = [
        {_dtype(t) for name, t in e.tensors.items() if t.is_floating_point() and not is_leftover(name)}
        for e in endpoints
    ]
    if all(kind == kinds[0] for kind in kinds):
        return []
    said = ", ".join(f"{e.name} is {' and '.join(sorted(kind))}" for e, kind in zip(endpoints, kinds, strict=True))
    return [f"{said}: blended in {into}"]


def check_endpoints(endpoints: Sequence[Checkpoint]) -> None:
    """Raise EndpointError, with the differences by name, unless `endpoints` can be blended."""
    check_count(len(endpoints))
    refuse(endpoints, differences(endpoints))


def refuse(endpoints: Sequence[Checkpoint], lines: Sequence[str], reasons: Sequence[str] = ()) -> None:
    """Raise EndpointError where `endpoints` cannot be blended: for `reasons`, or as they differ in `lines`."""
    if not (lines or reasons):
        return
    names = ", ".join(e.name for e in endpoints)
    expected = "Expected: checkpoints of one architecture, one fine-tuned from the other"
    if len(lines) == 1 and not reasons:
        reasons, lines = lines, ()
    if not lines:
        raise EndpointError(f"{names} cannot be blended: {'; '.join(reasons)}", expected)
    more = len(lines) - MOST_LINES
    raise EndpointError(
        f"{names} cannot be blended{': ' * bool(reasons)}{'; '.join(reasons)}, they differ in {len(lines)} place(s):",
        *(f"  {line}" for line in lines[:MOST_LINES]),
        *[f"  and {more} more: dni inspect A B --json lists all"] * (more > 0),
        expected,
    )


@dataclass(frozen=True, slots=True)
class Lineage:
    """How near to each other two endpoints are.

    cosine:            of each weight of at least two dimensions, by name, in -1..1.
    overall_cosine:    the mean of them, weighted by their numbers of elements.
    relative_distance: |A - B| / |A|, Euclidean, over all weights.
    """

    cosine: Mapping[str, float]
    overall_cosine: float
    relative_distance: float

    @property
    def looks_unrelated(self) -> bool:
        """Whether the two were probably trained apart; a blend of such networks is dark or grey."""
        return self.overall_cosine < UNRELATED_COSINE

    @property
    def warning(self) -> str:
        """One sentence for the user where the pair looks unrelated, else empty."""
        if not self.looks_unrelated:
            return ""
        return (
            f"the endpoints look unrelated (mean cosine similarity of their layers {self.overall_cosine:.2f}, "
            f"fine-tuned pairs are near 1): networks trained apart from each other do not interpolate; "
            "fine-tune one from the other, or fit a curve between them (dni fit)"
        )


def lineage(first: StateDict, second: StateDict, learnt: Collection[str] | None = None) -> Lineage:
    """Compare the weights of two endpoints, state dicts of the same names and shapes.

    learnt: the names of the network's parameters. Where they are not known, tensors that are equal in both are left
    out of the cosine: masks and tables are the same in every network of an architecture, and make no two of them kin.

    Vectors are left out of the cosine: normalisation layers start at ones in every network, so two
    unrelated networks share them.
    """
    cosine: dict[str, float] = {}
    weighted = elements = distance = norm = 0.0
    for name, a in first.items():
        if not a.is_floating_point() or is_leftover(name) or (learnt is not None and name not in learnt):
            continue
        x, y = a.detach().float().flatten(), second[name].detach().float().flatten()
        xx, yy, difference = float(x.dot(x)), float(y.dot(y)), x - y
        distance += float(difference.dot(difference))
        norm += xx
        if a.dim() >= 2 and xx * yy > 0 and (learnt is not None or not x.equal(y)):
            cosine[name] = float(x.dot(y)) / (xx * yy) ** 0.5
            weighted += cosine[name] * x.numel()
            elements += x.numel()
    return Lineage(
        cosine=cosine,
        overall_cosine=weighted / elements if elements else 1.0,
        relative_distance=(distance / norm) ** 0.5 if norm else 0.0,
    )


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
