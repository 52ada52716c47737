"""Plan what a device runs instead of an alpha-input model: a head that fills a buffer, and a body that reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnx
from onnx import helper

from dni_runtime.cuda.channels_last.rewrite import channels_last, channels_last_share
from dni_runtime.onnx_files.external_data import given_tensor, read_tensor
from dni_runtime.weights.recipe import Recipes
from dni_runtime.weights.split import CannotPrepareError, split, subgraph
from dni_runtime.weights.stored import Stored

from .batch import Batches
from .buffer import KINDS, Buffer, Part
from .fold_scales import fold_scales
from .head_nodes import HeadNodes

Tensor = npt.NDArray[Any]

# Channels-last, the graph runs without ONNX Runtime's optimizations: from this share of weights on it is worth it.
_CONVOLUTIONAL = 0.5


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """What a device runs instead of the whole graph.

    head:       model alpha -> `made`; the values of its initializers that are in no file are `endpoints`.
    made:       the head's outputs: all that alpha moves.
    body:       model image, `weights` -> output.
    weights:    the body's inputs but for the image.
    fixed:      values of those weights that alpha does not move.
    """

    head: onnx.ModelProto
    endpoints: Mapping[str, Tensor]
    made: tuple[Part, ...]
    body: onnx.ModelProto
    weights: tuple[Part, ...]
    fixed: Mapping[str, Tensor]
    total_bytes: int


def plan_device(slim: onnx.ModelProto, folder: Path, *, nhwc: bool) -> DevicePlan:
    """Plan for the alpha-input model `slim`, whose external data lies in `folder`.

    `nhwc`: convolutions are com.microsoft.NhwcConv, with weights that have to be constants for ONNX Runtime.
    Raises CannotPrepareError where it cannot be done.
    """
    halves = split(slim, rearrange_in_head=True)
    shapes, graph = halves.shapes(), halves.model.graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    moving = {}
    for name in halves.weights:
        if name not in shapes or kinds.get(name) not in KINDS:
            raise CannotPrepareError(f"the shape or type of {name} is not fixed, or no float")
        moving[name] = helper.make_tensor_value_info(name, kinds[name], shapes[name])
    stored = {t.name: t for t in graph.initializer if nhwc and t.external_data and t.data_type in KINDS}
    image = [value for value in graph.input if value.name != "alpha"]
    body = subgraph(halves.model, halves.body, [*image, *moving.values()], graph.output)
    constants = [tensor for tensor in body.graph.initializer if tensor.name not in stored]
    fixed = {t.name: read_tensor(t, folder) for t in body.graph.initializer if t.name in stored}
    del body.graph.initializer[:]
    body.graph.initializer.extend(constants)
    body.graph.input.extend(helper.make_tensor_value_info(n, stored[n].data_type, stored[n].dims) for n in fixed)
    body, factors = fold_scales(body)
    moved: frozenset[str] = frozenset()
    if nhwc:
        if channels_last_share(body) < _CONVOLUTIONAL:
            raise CannotPrepareError("most weights are not of convolutions")
        body, moved = channels_last(body)
    recipes, nodes = Recipes(halves), HeadNodes()
    stored_values = Stored(halves, folder, half=True)
    batches = Batches(halves, recipes, stored_values, nodes)
    buffer = Buffer(shapes, recipes, stored_values, factors, moved, nodes, batches)
    for name, value in moving.items():
        buffer.add(name, value.type.tensor_type.elem_type)
    buffer.finish()
    for name, values in fixed.items():
        buffer.add_fixed(name, values, stored[name].data_type)
    alpha = [value for value in graph.input if value.name == "alpha"]
    outputs = [helper.make_tensor_value_info(part.name, part.kind, part.shape) for part in buffer.made]
    head = subgraph(halves.model, [*halves.head, *nodes.nodes], alpha, outputs)
    used = {name for node in head.graph.node for name in node.input}
    head.graph.initializer.extend(tensor for tensor in nodes.initializers if tensor.name in used)
    given = {name: values for name, values in nodes.given.items() if name in used}
    return DevicePlan(head, given, tuple(buffer.made), body, tuple(buffer.weights), buffer.fixed, buffer.end)


def with_initializers(plan: DevicePlan, location: str) -> onnx.ModelProto:
    """The body with its weights as initializers, whose values the session options give; `location`: as for these."""
    model = onnx.ModelProto()
    model.CopyFrom(plan.body)
    names = {part.name for part in plan.weights}
    images = [value for value in model.graph.input if value.name not in names]
    del model.graph.input[:]
    model.graph.input.extend(images)
    given = (given_tensor(part.name, part.shape, part.kind, location) for part in plan.weights)
    model.graph.initializer.extend(given)
    return model
