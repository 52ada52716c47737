"""From checkpoints to verified ONNX files: the order of the steps, nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import onnx_ir as ir
from torch import nn

from dni_runtime import Alpha, ExportError, Metadata
from dni_runtime.files.unfinished import staging
from dni_runtime.metadata import KEY

from . import write
from .checking.reference import Reference
from .checkpoints.checkpoint import EndpointSource, read_endpoints
from .checkpoints.endpoints import check_endpoints, lineage
from .clock import Clock, Progress
from .collecting import collecting_by_hand
from .graphs.blend import attach_blend
from .graphs.fold import fold_batch_norm, fold_constants
from .graphs.nodes import FLOAT
from .graphs.single_input import pack_alpha, set_ir_version
from .job import check_job, tool_version
from .make import Maker
from .networks.architecture import build, load_endpoints
from .networks.probe import probe
from .networks.skeleton import trace
from .networks.unfuse import unfuse
from .report import ExportReport


def export(
    endpoints: Sequence[EndpointSource],
    output: str | PathLike[str],
    *,
    alpha_input: bool = False,
    alphas: Sequence[Alpha] | None = None,
    arch: str | nn.Module = "auto",
    arch_args: Mapping[str, Any] | None = None,
    alpha_range: tuple[float, float] = (0.0, 1.0),
    alpha_default: Alpha | None = None,
    input_shape: tuple[int, int, int, int] | None = None,
    static: bool = False,
    opset: int | None = None,
    dtype: str = "float32",
    delta: str | None = None,
    single_input: str | None = None,
    weights: str = "embed",
    atol: float | None = None,
    verify: bool = True,
    force: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Write `endpoints` as one ONNX model that takes alpha at run time, or as one baked model per alpha.

    endpoints:     two or more checkpoints (paths) or state dicts of one architecture, A first.
    output:        the file to write; with several `alphas` the folder for `alpha-X.onnx` files.
    alpha_input:   one model with inputs `input` float32 (N,C,H,W) and `alpha` float32 (K-1), K endpoints.
    alphas:        instead: alpha of each baked model.
    arch:          see `dni_exporters.networks.architecture.build`; `arch_args` are its keyword arguments.
    alpha_range:   the alphas that the model will accept; (0, 1) interpolates, wider ranges extrapolate.
    alpha_default: used by callers that give none. Some runtimes freeze or ignore an input with a default.
    input_shape:   (N,C,H,W) to trace with; found by itself for most networks.
    static:        keep N, H and W of `input_shape` as the only size.
    opset:         ONNX operator set, asserted on what was written; None takes PyTorch's own.
    dtype:         of weights and computation; input and output are float32 always.
    delta:         a smaller alpha-input model: the last endpoint stored in float16, and the difference of each
                   other one from it as "int8" or "float16"; both are widened in the graph and `dtype` is of the
                   computation alone.
    single_input:  for tools that feed one input: "baked" checks that they take what `alphas` makes, "plane" puts
                   alpha into further channels of the image. Written for older readers, with opset 18.
    weights:       "embed" in the file, "external" in FILE.data, or "link" to the endpoints' .safetensors.
    atol:          allowed |difference| / max(1, |reference|max); None means 1e-5 (dtype float16: 2e-2, delta
                   float16: 2e-3, delta int8: 2/255).
    verify:        compare with PyTorch before anything is written; turning it off is a risk.
    force:         replace existing outputs.
    progress:      called with the name of each step as it begins.

    Raises a DniError that says what is wrong; in that case no output was written or replaced.
    """
    job = check_job(
        Path(output),
        len(endpoints),
        alpha_input=alpha_input,
        alphas=alphas,
        alpha_range=alpha_range,
        alpha_default=alpha_default,
        static=static,
        opset=opset,
        dtype=dtype,
        delta=delta,
        single_input=single_input,
        weights=weights,
        atol=atol,
        verify=verify,
    )
    outputs = job.outputs()
    write.refuse_existing(outputs, force=force)
    clock = Clock(progress)
    with clock("read endpoints"):
        checkpoints, notes = read_endpoints(endpoints)
        check_endpoints(checkpoints)
    with clock("build network"):
        architecture = build(arch, checkpoints[0], arch_args)
        states = load_endpoints(architecture, checkpoints)
        checkpoints = [c.without_tensors() for c in checkpoints]
    with clock("probe network"):
        contract = probe(architecture, input_shape, static=static)
        notes += unfuse(architecture.network, contract.input_shape)
        related = min((lineage(states[0], b) for b in states[1:]), key=lambda found: found.overall_cosine)
    with collecting_by_hand() as collect:
        with clock("trace network"):
            skeleton = trace(architecture.network, contract.input_shape, static=static, opset=job.opset, half=job.half)
            collect()
        model = skeleton.model
        with clock("attach blend"):
            metadata = job.describe(architecture.name, contract, checkpoints, model.opset_imports[""])
            stored = attach_blend(model, states, delta)
            fold_batch_norm(model)
            if not job.alphas:
                fold_constants(model, keep_small=delta is not None)
            if job.plane:
                pack_alpha(model, alpha_range)
            if single_input:
                set_ir_version(model)
            _sign(model, metadata)
        size = write.weight_bytes(model) // (len(states) if job.alphas else 1)
        if weights == "embed" and size > write.EMBED_LIMIT_BYTES:
            if single_input:
                raise ExportError(
                    f"the weights take {size / 1e9:.1f} GB, an ONNX file holds 2 GB, and tools with one input read one "
                    "file; use --delta int8 or --dtype float16, or leave --single-input out"
                )
            weights = "external"
            notes.append("weights over 2 GB do not fit into an ONNX file; they are in a .data file beside it")
        reference = None
        if verify:
            judged = replace(contract, input_shape=(1, *contract.input_shape[1:])) if job.plane else contract
            reference = Reference(architecture.network, states, judged, static)
        make = Maker(job, skeleton.layers, reference, weights, clock, collect)
        with staging(outputs[0].parent) as folder:
            if job.alphas:
                files = make.baked(model, folder, outputs)
            else:
                files = [make.alpha_input(model, stored, checkpoints, folder, outputs[0])]
    return ExportReport(
        files=tuple(files),
        endpoints=tuple(c.name for c in checkpoints),
        architecture=architecture.name,
        parameters=sum(t.numel() for t in states[0].values() if t.is_floating_point()),
        scale=contract.scale,
        size_multiple=contract.size_multiple,
        size_minimum=contract.size_minimum,
        overlap=contract.overlap,
        dtype=dtype,
        delta=delta,
        opset=metadata.opset,
        lineage=related,
        notes=(*notes, *skeleton.notes),
        warnings=(related.warning,) if related.looks_unrelated else (),
        seconds=clock.seconds,
    )


def _sign(model: ir.Model, metadata: Metadata) -> None:
    """Write the metadata into the model, and the default of alpha as an initializer of the input's name."""
    model.graph.name = metadata.architecture
    model.producer_name, model.producer_version = "dni-deploy", tool_version()
    model.metadata_props[KEY] = metadata.to_json()
    if metadata.alpha_default is not None:
        alpha = next(value for value in model.graph.inputs if value.name == "alpha")
        alpha.const_value = ir.tensor(list(metadata.alpha_default), dtype=FLOAT, name="alpha")
        model.graph.register_initializer(alpha)
