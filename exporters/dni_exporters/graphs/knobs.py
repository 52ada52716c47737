"""Several alphas: one input of several numbers while a graph is made, and an input for each of them in the file."""

from collections.abc import Sequence

import onnx_ir as ir

from dni_runtime.alpha import ALPHA, Knob

from .nodes import FLOAT, Nodes

_ONE = ir.Shape([1])


def slices(nodes: Nodes, alpha: ir.Value, knobs: Sequence[Knob]) -> list[ir.Value]:
    """Each number of `alpha`, [1], that of all other parameters first, as `join_knobs` in the runtime makes them."""
    found = []
    for number, name in enumerate(input_names(knobs)):
        index = nodes.constant(f"{ALPHA}@{name}.index", ir.tensor([number], dtype=ir.DataType.INT64))
        found.append(nodes.add("Gather", [alpha, index], f"{ALPHA}@{name}", FLOAT, _ONE))
    return found


def give_inputs(model: ir.Model, knobs: Sequence[Knob]) -> None:
    """Replace the input `alpha` [n] by an input [1] for each of its numbers; a model without knobs stays as it is."""
    if not knobs:
        return
    graph = model.graph
    (alpha,) = (value for value in graph.inputs if value.name == ALPHA)
    graph.inputs.remove(alpha)
    made = {node.outputs[0].name: node for node in graph if node.op_type == "Gather"}
    for name in input_names(knobs):
        given = ir.Value(name=name, type=ir.TensorType(FLOAT), shape=_ONE)
        graph.inputs.append(given)
        node = made[f"{ALPHA}@{name}"]
        ir.convenience.replace_all_uses_with(node.outputs[0], given)
        graph.remove(node, safe=True)
        del graph.initializers[f"{ALPHA}@{name}.index"]


def input_names(knobs: Sequence[Knob]) -> list[str]:
    """Of alpha and its knobs, in the file."""
    return [ALPHA, *(knob.input_name for knob in knobs)]
