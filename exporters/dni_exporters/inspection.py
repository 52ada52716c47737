"""What can be told about endpoints before anything is exported."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from dni_runtime import ArchitectureError

from .checking.reference import probe_images
from .checkpoints.checkpoint import EndpointSource, StateDict, read_endpoints
from .checkpoints.endpoints import Lineage, differences, lineage
from .graphs.blend import blend_tensors
from .networks.architecture import build, load_endpoints
from .networks.probe import probe, quiet_inference


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of a network's output for the probe image, in units of the output (usually 0..1)."""

    alpha: float
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class EndpointsReport:
    """Whether two endpoints can be blended, and whether the result promises anything.

    differences: why they cannot be; empty where they can.
    lineage:     None where they cannot be blended.
    outputs:     at alpha 1, 0.5 and 0, for a small picture with slopes, edges and noise. A middle whose
                 deviation is far below both ends' is grey: the networks do not interpolate.
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

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def inspect_endpoints(
    first: EndpointSource,
    second: EndpointSource,
    *,
    arch: str | nn.Module = "auto",
    arch_args: Mapping[str, Any] | None = None,
) -> EndpointsReport:
    """Compare two endpoints, and run their network where it can be built (`arch` as in `export`).

    Raises CheckpointError where one cannot be read, ArchitectureError where `arch` was given and does not
    fit; a network that cannot be detected or run is only noted.
    """
    checkpoints, notes = read_endpoints([first, second])
    a, b = checkpoints
    lines = differences(checkpoints)
    name, scale = "", None
    outputs: tuple[Statistics, ...] = ()
    try:
        architecture = build(arch, a, arch_args)
        name = architecture.name
        if not lines:
            contract = probe(architecture)
            scale = contract.scale
            states = load_endpoints(architecture, checkpoints)
            outputs = _run(architecture.network, states, probe_images(contract)[0])
    except ArchitectureError as error:
        if arch != "auto" and not name:
            raise
        notes.append(str(error))
    return EndpointsReport(
        endpoints=(a.name, b.name),
        tensors=len(a.tensors),
        parameters=sum(t.numel() for t in a.tensors.values() if t.is_floating_point()),
        architecture=name,
        scale=scale,
        differences=tuple(lines),
        lineage=None if lines else lineage(a.tensors, b.tensors),
        outputs=outputs,
        notes=tuple(notes),
    )


def _run(network: nn.Module, states: Sequence[StateDict], image: Any) -> tuple[Statistics, ...]:
    found = []
    for alpha in (1.0, 0.5, 0.0):
        network.load_state_dict(blend_tensors(states, [alpha]))
        with quiet_inference():
            output = network(torch.from_numpy(image)).float()
        found.append(Statistics(alpha, float(output.mean()), float(output.std())))
    return tuple(found)
