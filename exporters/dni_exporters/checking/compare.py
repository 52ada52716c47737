"""Two endpoints beside each other: their tensors, and what their network makes of a picture on the way between them."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from dni_exporters.checkpoints.checkpoint import read_endpoints
from dni_exporters.checkpoints.endpoints import Lineage, differences, lineage, promotions
from dni_exporters.graphs.blend import blend_tensors
from dni_exporters.networks.aligned import align
from dni_exporters.networks.called import in_units
from dni_exporters.networks.network_code import one_line
from dni_exporters.networks.probe import probe, run_on
from dni_exporters.report import EndpointsReport, Statistics
from dni_exporters.sources import EndpointSource, Span, StateDict
from dni_exporters.verdict.judge import Trials
from dni_exporters.verdict.verdict import Verdict, unjudged
from dni_runtime import ArchitectureError

from .reference import probe_images


def compare(
    first: EndpointSource,
    second: EndpointSource,
    arch: str | nn.Module,
    arch_args: Mapping[str, Any] | None,
    value_range: Span,
    trials: Trials,
) -> EndpointsReport:
    """See `inspect_endpoints`."""
    checkpoints, notes = read_endpoints([first, second])
    a, b = checkpoints
    name, scale = "", None
    lines: Sequence[str]
    reasons: Sequence[str] = ()
    related: Lineage | None = None
    outputs: tuple[Statistics, ...] = ()
    verdict: Verdict | None = None
    try:
        aligned = align(arch, checkpoints, arch_args)
    except ArchitectureError as error:
        if arch != "auto":
            raise
        notes.append(one_line(error))
        if not (lines := differences(checkpoints)):
            related = lineage(a.tensors, b.tensors)
            verdict = unjudged("the network is not known")
            notes += promotions(checkpoints)
    else:
        in_units(aligned.architecture.network, value_range)
        name, reasons, lines = aligned.architecture.name, aligned.reasons, aligned.differences
        notes += aligned.notes
        if not (reasons or lines):
            related = lineage(aligned.states[0], aligned.states[1], aligned.learnt)
            try:
                contract = probe(aligned.architecture)
                scale = contract.scale
                outputs = _run(aligned.architecture.network, aligned.states, probe_images(contract)[0])
                verdict = trials.judge(aligned.architecture.network, aligned.states, contract)
            except ArchitectureError as error:
                notes.append(one_line(error))
                verdict = unjudged("the network cannot be run")
    return EndpointsReport(
        endpoints=(a.name, b.name),
        tensors=len(a.tensors),
        parameters=sum(t.numel() for t in a.tensors.values() if t.is_floating_point()),
        architecture=name,
        scale=scale,
        reasons=tuple(reasons),
        differences=tuple(lines),
        lineage=related,
        outputs=outputs,
        notes=tuple(notes),
        verdict=verdict,
    )


def _run(network: nn.Module, states: Sequence[StateDict], image: Any) -> tuple[Statistics, ...]:
    found = []
    for alpha in (1.0, 0.5, 0.0):
        network.load_state_dict(blend_tensors(states, [alpha, 1 - alpha]))
        output = run_on(network, image)
        found.append(Statistics(alpha, float(output.mean()), float(output.std(ddof=1))))
    return tuple(found)
