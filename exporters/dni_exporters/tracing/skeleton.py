"""Trace the network once, with its weights lifted out as graph inputs."""

import ast
import re
from collections.abc import Sequence, Set
from contextlib import nullcontext
from dataclasses import dataclass

import onnx_ir as ir
import torch
from torch import nn

from dni_exporters.graphs.silence import silence
from dni_runtime import ExportError

from . import sorts
from .halved import halved, keep_float32_io, made_in_float16
from .traceable import traceable
from .turns import Turns, watching_turns

_SCOPES = "pkg.torch.onnx.name_scopes"
_SIZES = "; networks that depend on image sizes need a fixed one: --static --input-shape N,C,H,W"
_HALF = (
    "; in float16, for which the code of some networks is not written: use --dtype float32, or --delta float16 for a "
    "smaller file"
)
_VALUES = (
    "; the network's code asks for values that it computes of the image (as `if x.mean() > 0.5` does), which no file "
    "can follow: write it with tensors (torch.where)"
)


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A network's graph without its weights.

    model:   its first graph input is the image; every floating-point tensor of the state dict that the
             network uses is a further input of the same name. Integer tensors stay inside.
    layers:  module name -> name of the value that the module computes.
    notes:   for the user.
    turns:   which sizes the graph was traced for; at others it may compute something else.
    """

    model: ir.Model
    layers: dict[str, str]
    notes: tuple[str, ...]
    turns: Turns


def trace(
    network: nn.Module,
    input_shape: tuple[int, int, int, int],
    *,
    static: bool = False,
    opset: int | None = None,
    half: bool = False,
    square: bool = False,
) -> Skeleton:
    """Export `network` (evaluation mode, CPU) to ONNX and lift its weights out.

    `input_shape` is (N, C, H, W). Unless `static`, N, H and W become dynamic where the network allows, but for an N of
    1, which is kept: what is seen of one image does not tell what the network makes of two. With `square` H and W are
    one.
    With `half` weights and computation are float16, while input and output stay float32 and so do the
    parameters of BatchNorm, whose 1/sqrt(variance + epsilon) leaves float16's range.

    The exporter's optimizer runs only after the lifting: with known weights it folds them, drops
    biases that are zero and merges tensors that are equal, which holds for one endpoint alone.

    Raises ExportError where PyTorch cannot trace the network.
    """
    import onnxscript.optimizer

    weights = {name for name, tensor in network.state_dict().items() if tensor.is_floating_point()}
    example = torch.zeros(input_shape, dtype=torch.float16 if half else torch.float32)
    free = () if static else (2, 3) if input_shape[0] == 1 else (0, 2, 3)
    try:
        with (
            silence(),
            watching_turns() as turns,
            traceable(network, square=square and not static),
            made_in_float16() if half else nullcontext(),
        ):
            program = torch.onnx.export(
                halved(network) if half else network,
                (example,),
                dynamo=True,
                optimize=False,
                verbose=False,
                input_names=["input"],
                output_names=["output"],
                opset_version=opset,
                dynamic_shapes=({axis: torch.export.Dim.AUTO for axis in free},) if free else None,
                custom_translation_table=sorts.translations(),
            )
            assert program is not None and program.exported_program is not None
            model = program.model
            sorting = (sorts.NOTE,) if sorts.leaves_ties_open(program.exported_program) else ()
            _lift(model, weights)
            onnxscript.optimizer.optimize(model)
    except Exception as error:  # torch.onnx wraps whatever the network's code raised
        cause = _cause(error)
        hint = _VALUES if "data-dependent" in cause else _HALF if half else "" if static else _SIZES
        raise ExportError(f"PyTorch cannot export the network to ONNX: {cause}{hint}") from error
    notes = sorting + _name_dimensions(model, free)
    layers = _layers(model)
    # Stack traces with the paths of this machine; the names of all weights once more.
    model.graph.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.outputs):
        value.metadata_props.clear()
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
    if half:
        keep_float32_io(model)
    return Skeleton(model, layers, notes, turns())


def _lift(model: ir.Model, weights: Set[str]) -> None:
    """Make every initializer that is a weight a graph input.

    Of tied weights only one name is an initializer, and an unused weight has none: both are fine,
    a weight is attached by the names that are left.
    """
    for name in [name for name in model.graph.initializers if name in weights]:
        value = model.graph.initializers.pop(name)
        value.const_value = None
        model.graph.inputs.append(value)


def _name_dimensions(model: ir.Model, free: Sequence[int]) -> tuple[str, ...]:
    """Call the dynamic dimensions N, H and W; note those of the axes `free` that the network fixed."""
    image = model.graph.inputs[0]
    assert image.shape is not None
    names: dict[str, str] = {}
    fixed = []
    for axis in free:
        letter, dimension = "NCHW"[axis], image.shape[axis]
        if isinstance(dimension, ir.SymbolicDim):
            names.setdefault(str(dimension.value), letter)  # of square images W is H
        else:
            fixed.append(f"{letter}={dimension}")
    pattern = re.compile(r"\b(" + "|".join(map(re.escape, names)) + r")\b") if names else None
    for value in [*model.graph.inputs, *(v for node in model.graph for v in node.outputs)]:
        if pattern is None or value.shape is None:
            continue
        value.shape = ir.Shape(
            [
                # One that nobody knows has no name: all of a name have to be alike.
                pattern.sub(lambda found: names[found[1]], d.value) if isinstance(d, ir.SymbolicDim) and d.value else d
                for d in value.shape
            ]
        )
    if not fixed:
        return ()
    return (f"the network fixes {', '.join(fixed)}; a file for another size needs another --input-shape",)


def _layers(model: ir.Model) -> dict[str, str]:
    """Where each module's output is in the graph: at the last node that was traced inside the module."""
    layers: dict[str, str] = {}
    for node in model.graph:
        scopes = node.metadata_props.get(_SCOPES)
        if scopes and node.outputs[0].name:
            for module in ast.literal_eval(scopes)[1:-1]:
                layers[module] = node.outputs[0].name
    return layers


def _cause(error: BaseException) -> str:
    """The innermost reason, one line: torch.onnx reports pages of its own stages around it."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
