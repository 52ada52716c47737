"""Files that another program blends two of: what it may blend are initializers, all else is out of its reach.

chaiNNer's Interpolate Models takes two files and makes a * (1 - share) + b * share of every initializer, in its type
(chaiNNer-org/chaiNNer, backend/src/packages/chaiNNer_onnx/onnx/utility/interpolate_models.py). Whole numbers come out 1
too small at some shares, since 3 * 0.7 + 3 * 0.3 may be cut off at 2; a scale of 2 comes out a little smaller, and the
picture loses a row; and what follows from weights in a way that is no straight line comes out wrong, as weights do that
a BatchNorm was folded into. So here the blended weights alone are initializers, what is computed from them is computed
in the graph, and what is no weight is an attribute of a node.
"""

from collections.abc import Collection

import onnx_ir as ir

_LISTS = {ir.DataType.INT64: "value_int", ir.DataType.FLOAT: "value_float"}


def blend_nodes(graph: ir.Graph, weights: Collection[str]) -> set[ir.Node]:
    """The nodes that compute the values named `weights`."""
    waiting = [node for node in graph if any(value.name in weights for value in node.outputs)]
    found: set[ir.Node] = set()
    while waiting:
        if (node := waiting.pop()) not in found:
            found.add(node)
            waiting += [producer for value in node.inputs if value and (producer := value.producer())]
    return found


def hold_constants(graph: ir.Graph, weights: Collection[str]) -> None:
    """Make the output of a node of every initializer that is not of `weights`.

    chaiNNer has onnxoptimizer 0.3.13 go over both files first. That makes constants initializers again, and merges
    those that are equal, be it in one of the two files alone. It knows of a Constant's attributes `value` alone: at
    `value_ints` and the like, which ONNX has had since opset 12, it gives up, and chaiNNer takes the file as it is.
    (0.4.2 leaves such Constants where they are.) So numbers and lists are stored that way, one at least in every file.
    """
    nodes = []
    for name, value in [*graph.initializers.items()]:
        if name not in weights:
            assert value.const_value is not None  # that is what makes it an initializer
            nodes.append(_constant(graph, value, value.const_value))
    if all("value" in node.attributes for node in nodes):
        shaped = [value for value in graph.initializers.values() if value.shape is not None and len(value.shape)]
        nodes += _shape_of(shaped[-1]) if shaped else []
    graph.insert_before(graph[0], nodes)


def _constant(graph: ir.Graph, value: ir.Value, tensor: ir.TensorProtocol) -> ir.Node:
    """A node in the place of an initializer."""
    attribute, rank = _LISTS.get(tensor.dtype), len(tensor.shape)
    if attribute is None or rank > 1:
        node = ir.node("Constant", [], {"value": tensor})
    else:
        numbers = tensor.numpy().tolist()
        node = ir.node("Constant", [], {f"{attribute}s": numbers} if rank else {attribute: numbers})
    del graph.initializers[value.name or ""]
    node.outputs[0].name, value.name = value.name, None
    ir.convenience.replace_all_uses_with(value, node.outputs[0])
    return node


def _shape_of(weight: ir.Value) -> list[ir.Node]:
    """A list that says nothing: the shape that `weight` has is the one that it gets."""
    assert weight.shape is not None
    shape = ir.node("Constant", [], {"value_ints": [*weight.shape.numpy()]})
    shape.outputs[0].name = f"{weight.name}@shape"
    reshaped = ir.node("Reshape", [weight, shape.outputs[0]])
    reshaped.outputs[0].name = f"{weight.name}@reshaped"
    ir.convenience.replace_all_uses_with(weight, reshaped.outputs[0])
    reshaped.replace_input_with(0, weight)
    return [shape, reshaped]
