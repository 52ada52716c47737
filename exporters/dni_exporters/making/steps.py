"""From checkpoints to verified ONNX files: the order of the steps, nothing else."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace

import onnx_ir as ir

from dni_exporters.checking.reference import Reference
from dni_exporters.checking.verify import BatchError
from dni_exporters.checkpoints.endpoints import Lineage
from dni_exporters.clock import Clock
from dni_exporters.graphs.blend import Stored, attach_blend
from dni_exporters.graphs.fold import fold_batch_norm, fold_constants
from dni_exporters.graphs.formula import Formula
from dni_exporters.graphs.knobs import give_inputs
from dni_exporters.graphs.single_input import pack_alpha
from dni_exporters.job import ExportJob
from dni_exporters.ncnn_files.hosts import Needs, refuse_or_tell
from dni_exporters.networks.known.calls import NOISE_LEVEL
from dni_exporters.networks.original import Original
from dni_exporters.networks.probe import ImageContract
from dni_exporters.outputs import refuse_existing
from dni_exporters.report import ExportReport
from dni_exporters.sources import StateDict
from dni_exporters.tracing.turns import Turns
from dni_exporters.verdict.in_tiles import cost_of_tiles
from dni_exporters.verdict.judge import Trials
from dni_exporters.verdict.verdict import Verdict
from dni_runtime import ExportError
from dni_runtime.files.unfinished import staging

from . import write
from .begin import Begun, begin
from .collecting import collecting_by_hand
from .make import Maker
from .sign import describe, sign
from .traced import ONE_AT_A_TIME, one_at_a_time, traced


def make_models(job: ExportJob) -> ExportReport:
    """Write the models of `job`, all or none. Raises a DniError."""
    clock = Clock(job.progress)
    begun = begin(job, clock)
    judge = functools.cache(lambda: _judge(job, begun, clock) if job.verdict else None)
    with collecting_by_hand() as collect:
        try:
            return _make(job, begun, clock, collect, judge)
        except BatchError:
            if begun.contract.input_shape[0] == 1:
                raise
            note = ONE_AT_A_TIME.format("it would be wrong")
            single = replace(begun, contract=one_at_a_time(begun.contract), notes=[*begun.notes, note])
            return _make(job, single, clock, collect, judge)


def _make(
    job: ExportJob, begun: Begun, clock: Clock, collect: Callable[[], object], judge: Callable[[], Verdict | None]
) -> ExportReport:
    """Trace, blend, write and verify. Raises BatchError where that is right for one number of images alone."""
    along, network, states, formula = begun.along, begun.network, begun.states, begun.formula
    if job.is_for_ncnn:
        _check_for_ncnn(begun.contract, job)
    with clock("trace network"):
        skeleton, contract, notes = traced(network, begun.contract, job)
        collect()
    model = skeleton.model
    with clock("attach blend"):
        stored = _attach(model, states, formula, job)
    if _is_too_large(model, len(states), job):
        job = replace(job, weights="external")
        notes.append("weights over 2 GB do not fit into an ONNX file; they are in a .data file beside it")
    # It takes longest, so it comes after all that can be refused: ncnn's files, which do not hold it, come first.
    verdict = None if job.is_for_ncnn else judge()
    metadata = describe(job, begun.name, contract, along, model.opset_imports[""], verdict)
    sign(model, metadata)
    reference = None
    if begun.original is not None:
        reference = _reference(begun.original, states, formula, contract, job, skeleton.turns)
    make = Maker(job, contract, skeleton.layers, formula, reference, clock, collect)
    outputs = job.outputs_of(contract.scale)
    with staging(outputs[0].parent) as folder:
        if job.baked:
            files = make.baked(model, stored, folder, outputs)
        else:
            linkable = {name: held for name, held in stored.items() if held[1] != NOISE_LEVEL}  # no file's own
            files = [make.alpha_input(model, linkable, begun.checkpoints, folder, outputs[0])]
    verdict = judge()
    notes += make.notes
    if all(isinstance(side, int) for side in _sides(model)):
        with clock("compare tiles"):
            notes.append(cost_of_tiles(network, metadata, contract.input_shape))
    return ExportReport(
        files=tuple(files),
        endpoints=tuple(c.name for c in begun.checkpoints),
        architecture=begun.name,
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
        lineage=begun.related,
        path=formula.path,
        knobs=formula.knobs,
        verdict=verdict,
        notes=(*begun.notes, *notes, *skeleton.notes),
        warnings=_warnings(begun.related, verdict, formula),
        seconds=clock.seconds,
    )


def _check_for_ncnn(contract: ImageContract, job: ExportJob) -> None:
    """Refuse what is known before anything is traced. Raises a DniError."""
    if contract.static:
        raise ExportError(
            "--format ncnn is for networks that take images of several sizes, this one takes one; write an ONNX file"
        )
    outputs = job.outputs_of(contract.scale)
    refuse_or_tell(Needs(contract, contract.sizes), outputs, job.tool)
    refuse_existing(outputs, force=job.force)  # the scale may be in their names


def _sides(model: ir.Model) -> Sequence[object]:
    """Height and width of the model's image: numbers where they are fixed."""
    shape = model.graph.inputs[0].shape
    assert shape is not None  # the exporter writes it
    return shape[2:]


def _judge(job: ExportJob, begun: Begun, clock: Clock) -> Verdict:
    with clock("judge the blend"):
        return Trials(progress=job.progress).judge(begun.network, begun.states, begun.contract, formula=begun.formula)


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
    if not job.baked or job.is_for_ncnn:
        fold_constants(model, keep_small=job.delta is not None)
    if job.plane:
        pack_alpha(model, job.range)
    else:
        give_inputs(model, formula.knobs)
    if (ir_version := job.ir_version_of(model.opset_imports[""])) is not None:
        model.ir_version = ir_version
    return stored


def _is_too_large(model: ir.Model, endpoint_count: int, job: ExportJob) -> bool:
    """Whether the weights have to be in a file of their own. Raises ExportError where they must not."""
    size = write.weight_bytes(model) // (endpoint_count if job.baked else 1)
    if job.is_for_ncnn or job.weights != "embed" or size <= write.EMBED_LIMIT_BYTES:
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
