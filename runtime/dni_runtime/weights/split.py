"""Split an alpha-input model in two: the head, which makes weights of alpha, and the body, which uses them.

The head depends on constants and alpha alone, so it has to run once for an alpha, however many images follow.
The body sees ready weights, as that of a baked file does.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import onnx

# Operators by which a stored tensor of another type becomes a float32 weight.
_WIDENS = frozenset({"Cast", "DequantizeLinear"})
RESHAPES = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
"""Operators that keep a tensor's elements and their order."""
MOVES = RESHAPES | {"Transpose"}
"""Operators that only rearrange a tensor's elements."""


class CannotPrepareError(Exception):
    """A model cannot be prepared for the fast path. Never leaves the package: its message goes to Model.alpha_note."""


@dataclass(frozen=True, slots=True)
class Split:
    """The two halves of a graph.

    model:    the whole model, slim or not, with the shapes of its values inferred.
    head:     nodes that compute the weights, in order.
    body:     nodes that depend on the image, and those that only rearrange weights for them; in order.
    weights:  names of the values that the head gives to the body.
    widened:  float32 values that are a stored tensor of another type -> the node that converts it. These nodes are
              in head and body.
    """

    model: onnx.ModelProto
    head: tuple[onnx.NodeProto, ...]
    body: tuple[onnx.NodeProto, ...]
    weights: tuple[str, ...]
    widened: Mapping[str, onnx.NodeProto]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every value that has a fixed one."""
        return fixed_shapes(self.model.graph)


def split(model: onnx.ModelProto, *, rearrange_in_head: bool = False) -> Split:
    """Split `model`, which has an input `alpha` and one other. Raises CannotPrepareError.

    `rearrange_in_head`: nodes that only rearrange weights are the head's.
    """
    graph = model.graph
    if model.functions or any(_has_subgraph(node) for node in graph.node):
        raise CannotPrepareError("the graph has functions or control flow")
    if graph.sparse_initializer:
        raise CannotPrepareError("the graph has sparse weights")
    (image,) = (value.name for value in graph.input if value.name != "alpha")
    of_image, of_alpha = dependents(graph, [image]), dependents(graph, ["alpha"])
    body = [not of_image.isdisjoint(node.output) for node in graph.node]
    head = [not b and not of_alpha.isdisjoint(node.output) for b, node in zip(body, graph.node, strict=True)]
    consumers: dict[str, list[int]] = {}
    for index, node in enumerate(graph.node):
        for name in node.input:
            consumers.setdefault(name, []).append(index)
    results = {value.name for value in graph.output}
    for index in reversed(range(len(graph.node))):
        node = graph.node[index]
        movable = not rearrange_in_head and node.op_type in MOVES
        if head[index] and movable and results.isdisjoint(node.output):
            users = [user for name in node.output for user in consumers.get(name, [])]
            if all(body[user] for user in users):
                head[index], body[index] = False, True
    made = {name for node in _where(graph.node, head) for name in node.output if name}
    wanted = [name for node in _where(graph.node, body) for name in node.input]
    weights = tuple(name for name in dict.fromkeys([*wanted, *results]) if name in made)
    if not weights or "alpha" in wanted or not results.isdisjoint(made):
        raise CannotPrepareError("alpha does more than blend weights")
    # What depends on neither is a constant that has not been folded; whoever needs it takes a copy.
    loose = [not (b or h) for b, h in zip(body, head, strict=True)]
    inferred = onnx.shape_inference.infer_shapes(model)
    for default in [tensor for tensor in inferred.graph.initializer if tensor.name == "alpha"]:
        inferred.graph.initializer.remove(default)  # every call gives alpha, and it is no weight
    return Split(
        inferred,
        head=tuple(_where(graph.node, [h or n for h, n in zip(head, loose, strict=True)])),
        body=tuple(_where(graph.node, [b or n for b, n in zip(body, loose, strict=True)])),
        weights=weights,
        widened=_widened(_where(graph.node, loose), inferred.graph),
    )


def fixed_shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """The shape of every value that has a fixed one, in a graph whose shapes have been inferred."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in dims):
            shapes.setdefault(value.name, tuple(dim.dim_value for dim in dims))
    return shapes


def _widened(nodes: Iterable[onnx.NodeProto], graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    stored = {tensor.name for tensor in graph.initializer}
    floats = {v.name for v in graph.value_info if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    return {
        node.output[0]: node
        for node in nodes
        if node.op_type in _WIDENS and stored.issuperset(node.input) and node.output[0] in floats
    }


def subgraph(
    model: onnx.ModelProto,
    nodes: Iterable[onnx.NodeProto],
    inputs: Iterable[onnx.ValueInfoProto],
    outputs: Iterable[onnx.ValueInfoProto],
) -> onnx.ModelProto:
    """A model of the `nodes` that its outputs need, with the initializers that these need."""
    outputs = list(outputs)
    kept = list(_needed(list(nodes), {value.name for value in outputs}))
    used = {value.name for value in outputs}.union(*(node.input for node in kept))
    part = onnx.ModelProto(ir_version=model.ir_version)
    part.opset_import.extend(model.opset_import)
    part.graph.name = model.graph.name
    part.graph.node.extend(kept)
    part.graph.input.extend(inputs)
    part.graph.output.extend(outputs)
    part.graph.initializer.extend(tensor for tensor in model.graph.initializer if tensor.name in used)
    return part


def _needed(nodes: list[onnx.NodeProto], wanted: set[str]) -> Iterator[onnx.NodeProto]:
    kept = []
    for node in reversed(nodes):
        if not wanted.isdisjoint(node.output):
            wanted |= set(node.input)
            kept.append(node)
    return reversed(kept)


def dependents(graph: onnx.GraphProto, names: Iterable[str]) -> set[str]:
    """The values that depend on one of `names`, these included; in whatever order the nodes are."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    reached = set(names)
    waiting = [*reached]
    while waiting:
        # What is reached once has no readers any more, so that a graph in a circle has an end.
        for node in readers.pop(waiting.pop(), ()):
            found = {name for name in node.output if name} - reached
            reached |= found
            waiting += found
    return reached


def _has_subgraph(node: onnx.NodeProto) -> bool:
    kinds = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    return any(attribute.type in kinds for attribute in node.attribute)


def _where(nodes: Iterable[onnx.NodeProto], chosen: list[bool]) -> Iterator[onnx.NodeProto]:
    return (node for node, take in zip(nodes, chosen, strict=True) if take)
