"""Two endpoints beside each other: their tensors, and what their network makes of a picture on the way between them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from dni_exporters.checkpoints.checkpoint import read_endpoints
from dni_exporters.checkpoints.endpoints import differences, lineage
from dni_exporters.graphs.blend import blend_tensors
from dni_exporters.networks.architecture import build, load_endpoints
from dni_exporters.networks.probe import probe, quiet_inference
from dni_exporters.report import EndpointsReport, Statistics
from dni_exporters.sources import EndpointSource, StateDict
from dni_runtime import ArchitectureError

from .reference import probe_images


def compare(
    first: EndpointSource, second: EndpointSource, arch: str | nn.Module, arch_args: Mapping[str, Any] | None
) -> EndpointsReport:
    """See `inspect_endpoints`."""
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
