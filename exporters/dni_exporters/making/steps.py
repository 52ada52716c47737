"""From checkpoints to verified ONNX files: the order of the steps, nothing else."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import pairwise

import onnx_ir as ir
from torch import nn

from dni_exporters.checking.reference import Reference
from dni_exporters.checkpoints.endpoints import Lineage, lineage
from dni_exporters.clock import Clock
from dni_exporters.graphs.blend import Stored, attach_blend
from dni_exporters.graphs.fold import fold_batch_norm, fold_constants
from dni_exporters.graphs.formula import Formula
from dni_exporters.graphs.knobs import give_inputs
from dni_exporters.graphs.single_input import pack_alpha, set_ir_version
from dni_exporters.job import ExportJob
from dni_exporters.networks.aligned import align_or_refuse
from dni_exporters.networks.called import in_units
from dni_exporters.networks.known.calls import NOISE_LEVEL
from dni_exporters.networks.original import Original, original_of
from dni_exporters.networks.probe import ImageContract, probe
from dni_exporters.networks.reach import view_notes
from dni_exporters.report import ExportReport
from dni_exporters.sources import StateDict
from dni_exporters.tracing.skeleton import trace
from dni_exporters.tracing.traceable import traceable
from dni_exporters.tracing.turns import Turns
from dni_exporters.tracing.unfuse import unfuse
from dni_exporters.tracing.watched import watched
from dni_exporters.verdict.in_tiles import cost_of_tiles
from dni_exporters.verdict.judge import Trials
from dni_exporters.verdict.verdict import Verdict
from dni_runtime import ExportError
from dni_runtime.files.unfinished import staging
from dni_runtime.shares import Path

from . import write
from .along import read_along
from .collecting import collecting_by_hand
from .make import Maker
from .sign import describe, sign

# ONNX Runtime's CPU computes float16 networks in float32 (see `check_parity`).
_UNVOUCHED = (
    "spandrel does not vouch for {} in float16; checked on small pictures: how near its weights come to float32, and "
    "that no layer leaves float16's range; not checked: large pictures, and what a GPU adds up in float16"
)


def make_models(job: ExportJob) -> ExportReport:
    """Write the models of `job`, all or none. Raises a DniError."""
    clock = Clock(job.progress)
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
        notes += view_notes(contract.view, contract.overlap, advised=architecture.whole)
        notes += unfuse(architecture.network, contract.input_shape)
        related = _least_alike(states, aligned.learnt, formula.path)
    with collecting_by_hand() as collect:
        with clock("trace network"), watched(architecture.network, contract.input_shape, job.progress):
            skeleton = trace(
                architecture.network,
                contract.input_shape,
                static=contract.static,
                opset=job.wanted_opset,
                half=job.half,
                square=contract.size_square,
            )
            collect()
        model = skeleton.model
        with clock("attach blend"):
            stored = _attach(model, states, formula, job)
            stored = {name: held for name, held in stored.items() if held[1] != NOISE_LEVEL}  # no file's own
        if _is_too_large(model, len(states), job):
            job = replace(job, weights="external")
            notes.append("weights over 2 GB do not fit into an ONNX file; they are in a .data file beside it")
        # It takes longest, so it comes after all that can be refused.
        verdict = _judge(architecture.network, states, formula, contract, job, clock) if job.verdict else None
        metadata = describe(job, architecture.name, contract, along, model.opset_imports[""], verdict)
        sign(model, metadata)
        reference = (
            _reference(original, states, formula, contract, job, skeleton.turns) if original is not None else None
        )
        make = Maker(job, skeleton.layers, formula, reference, clock, collect)
        outputs = job.outputs
        with staging(outputs[0].parent) as folder:
            if job.baked:
                files = make.baked(model, folder, outputs)
            else:
                files = [make.alpha_input(model, stored, checkpoints, folder, outputs[0])]
    if all(isinstance(side, int) for side in _sides(model)):
        with clock("compare tiles"):
            architecture.network.load_state_dict(states[0])
            notes.append(cost_of_tiles(architecture.network, metadata, contract.input_shape))
    return ExportReport(
        files=tuple(files),
        endpoints=tuple(c.name for c in checkpoints),
        architecture=architecture.name,
        parameters=sum(t.numel() for t in states[0].values() if t.is_floating_point()),
        scale=contract.scale,
        size_multiple=contract.size_multiple,
        size_minimum=contract.size_minimum,
        size_square=contract.size_square,
        overlap=contract.overlap,
        view=contract.view,
        dtype=job.dtype,
        delta=job.delta,
        opset=metadata.opset,
        lineage=related,
        path=formula.path,
        knobs=formula.knobs,
        verdict=verdict,
        notes=(*notes, *skeleton.notes),
        warnings=_warnings(related, verdict, formula),
        seconds=clock.seconds,
    )


def _sides(model: ir.Model) -> Sequence[object]:
    """Height and width of the model's image: numbers where they are fixed."""
    shape = model.graph.inputs[0].shape
    assert shape is not None  # the exporter writes it
    return shape[2:]


def _least_alike(states: Sequence[StateDict], learnt: Collection[str], path: Path | None) -> Lineage:
    """Of the first endpoint and another; along a path, of two checkpoints that follow each other."""
    knots = [] if path is None else [states[number] for number in path.knot_numbers]
    pairs = pairwise(knots) if knots else ((states[0], other) for other in states[1:])
    return min((lineage(a, b, learnt) for a, b in pairs), key=lambda found: found.overall_cosine)


def _judge(
    network: nn.Module,
    states: Sequence[StateDict],
    formula: Formula,
    contract: ImageContract,
    job: ExportJob,
    clock: Clock,
) -> Verdict:
    with clock("judge the blend"):
        return Trials(progress=job.progress).judge(network, states, contract, formula=formula)


def _warnings(related: Lineage, verdict: Verdict | None, formula: Formula) -> tuple[str, ...]:
    """Photographs have the last word: weights that look unrelated are no fault of a blend that works.

    Curves are for such.
    """
    is_straight = formula.path is None or 0 in formula.path.middles
    told = [related.warning] if is_straight and not (verdict is not None and verdict.blends) else []
    if verdict is not None and verdict.warning:
        advice = verdict.advice if is_straight else ""
        if formula.knobs:
            advice = "without --knob it may, or with alphas that are near each other"
        told.append("; ".join(filter(None, (verdict.warning, advice))))
    return tuple(filter(None, told))


def _attach(model: ir.Model, states: Sequence[StateDict], formula: Formula, job: ExportJob) -> Stored:
    """Make the alpha-input model of a skeleton; returns where its weights come from."""
    stored = attach_blend(model, states, job.delta, formula)
    fold_batch_norm(model)
    if not job.baked:
        fold_constants(model, keep_small=job.delta is not None)
    if job.plane:
        pack_alpha(model, job.range)
    else:
        give_inputs(model, formula.knobs)
    if job.single_input:
        set_ir_version(model)
    return stored


def _is_too_large(model: ir.Model, endpoint_count: int, job: ExportJob) -> bool:
    """Whether the weights have to be in a file of their own. Raises ExportError where they must not."""
    size = write.weight_bytes(model) // (endpoint_count if job.baked else 1)
    if job.weights != "embed" or size <= write.EMBED_LIMIT_BYTES:
        return False
    if job.single_input:
        raise ExportError(
            f"the weights take {size / 1e9:.1f} GB, an ONNX file holds 2 GB, and tools with one input read one "
            "file; use --delta int8 or --dtype float16, or leave --single-input out"
        )
    return True


def _reference(
    original: Original,
    states: Sequence[StateDict],
    formula: Formula,
    contract: ImageContract,
    job: ExportJob,
    turns: Turns,
) -> Reference:
    judged = replace(contract, input_shape=(1, *contract.input_shape[1:])) if job.plane else contract
    return Reference(original, states, formula, judged, turns)
