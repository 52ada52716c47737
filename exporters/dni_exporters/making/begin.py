"""What an export begins with: the endpoints as states of one network, and which images that takes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from dni_exporters.checkpoints.checkpoint import Checkpoint
from dni_exporters.checkpoints.endpoints import Lineage, lineage
from dni_exporters.clock import Clock
from dni_exporters.graphs.formula import Formula
from dni_exporters.job import ExportJob
from dni_exporters.networks.aligned import align_or_refuse
from dni_exporters.networks.called import in_units
from dni_exporters.networks.original import Original, original_of
from dni_exporters.networks.probe import ImageContract, probe
from dni_exporters.networks.reach import view_notes
from dni_exporters.sources import StateDict
from dni_exporters.tracing.traceable import traceable
from dni_exporters.tracing.unfuse import unfuse
from dni_runtime.shares import Path

from .along import Along, read_along

# ONNX Runtime's CPU computes float16 networks in float32 (see `check_parity`).
_UNVOUCHED = (
    "spandrel does not vouch for {} in float16; checked on small pictures: how near its weights come to float32, and "
    "that no layer leaves float16's range; not checked: large pictures, and what a GPU adds up in float16"
)


@dataclass(frozen=True, slots=True)
class Begun:
    """All that is known before anything is traced.

    checkpoints: as they were read, without their tensors.
    states:      of all endpoints, under the names of `network`.
    original:    None where nothing is to be verified.
    related:     of the two endpoints that are least alike.
    notes:       for the user.
    """

    along: Along
    checkpoints: Sequence[Checkpoint]
    network: nn.Module
    name: str
    states: Sequence[StateDict]
    original: Original | None
    formula: Formula
    contract: ImageContract
    related: Lineage
    notes: Sequence[str]


def begin(job: ExportJob, clock: Clock) -> Begun:
    """Read, build and probe. Raises a DniError."""
    with clock("read endpoints"):
        along = read_along(job.route)
        checkpoints, notes = along.checkpoints, along.notes
    with clock("build network"):
        arch_args = along.arguments(job.arch, job.arch_args)
        aligned = align_or_refuse(job.arch, checkpoints, arch_args)
        architecture, states = aligned.architecture, aligned.states
        in_units(architecture.network, job.value_range)
        original = original_of(job.arch, checkpoints, architecture, arch_args) if job.verify else None
        checkpoints = [c.without_tensors() for c in checkpoints]
        notes += aligned.notes
        notes += [_UNVOUCHED.format(architecture.name)] if job.half and architecture.half is False else []
        formula = along.formula(states)
    with clock("probe network"), traceable(architecture.network):
        contract = probe(architecture, job.input_shape, static=job.static)
        elsewhere = job.is_for_ncnn or job.single_input is not None
        notes += view_notes(contract.view, contract.overlap, advised=architecture.whole, elsewhere=elsewhere)
        notes += unfuse(architecture.network, contract.input_shape)
        related = _least_alike(states, aligned.learnt, formula.path)
    return Begun(
        along, checkpoints, architecture.network, architecture.name, states, original, formula, contract, related, notes
    )


def _least_alike(states: Sequence[StateDict], learnt: Collection[str], path: Path | None) -> Lineage:
    """Of the first endpoint and another; along a path, of two checkpoints that follow each other."""
    knots = [] if path is None else [states[number] for number in path.knot_numbers]
    pairs = pairwise(knots) if knots else ((states[0], other) for other in states[1:])
    return min((lineage(a, b, learnt) for a, b in pairs), key=lambda found: found.overall_cosine)
