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
    `value_float`, which ONNX has had since opset 12, it gives up, and chaiNNer takes the file as it is. So one Constant
    is stored that way. (All of them cannot be: chaiNNer's onnx 1.16 finds no sizes with `value_ints`.)
    """
    if not graph.initializers:
        return
    nodes = _times_one(max(graph.initializers.values(), key=lambda value: _is_fit(value, weights)))
    for name, value in [*graph.initializers.items()]:
        if name not in weights:
            node = ir.node("Constant", [], {"value": value.const_value})
            del graph.initializers[name]
            node.outputs[0].name, value.name = name, None
            ir.convenience.replace_all_uses_with(value, node.outputs[0])
            nodes.insert(0, node)
    graph.insert_before(graph[0], nodes)


def _is_fit(value: ir.Value, weights: Collection[str]) -> tuple[bool, bool]:
    """A weight, first of all; equal endpoints have none, and other numbers with a point will do."""
    assert value.dtype is not None
    return value.name in weights, value.dtype.is_floating_point()


def _times_one(weight: ir.Value) -> list[ir.Node]:
    """A use for the Constant, since readers warn of what has none. They compute it once, when they load the file."""
    assert weight.dtype is not None
    one = ir.node("Constant", [], {"value_float": 1.0})
    cast = ir.node("Cast", one.outputs, {"to": int(weight.dtype)})
    times = ir.node("Mul", [weight, cast.outputs[0]])
    for node, name in ((one, "one"), (cast, "cast"), (times, "times_one")):
        node.outputs[0].name = f"{weight.name}@{name}"
    ir.convenience.replace_all_uses_with(weight, times.outputs[0])
    times.replace_input_with(0, weight)
    return [one, cast, times]
