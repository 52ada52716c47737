"""Which nodes of a graph can run channels-last, and how: as PyTorch's exporter writes them, from opset 18 on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from .graph import TO_LAST, TO_PLAIN, Array, Graph, attribute

FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
# From here on all reductions have their axes as an input.
_OLDEST_OPSET = 18
# Operators that compute each element by itself, with NumPy's broadcasting where they have several inputs.
_ELEMENTWISE = (
    {"Abs", "Add", "Cast", "Ceil", "Clip", "Cos", "Div", "Erf", "Exp", "Floor", "Identity", "Log", "Max", "Min", "Mod"}
    | {"Mul", "Neg", "Pow", "Reciprocal", "Round", "Sign", "Sin", "Sqrt", "Sub", "Sum"}
    | {"And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or", "Where"}
    | {"Celu", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "PRelu", "Relu", "Selu", "Sigmoid"}
    | {"Softplus", "Softsign", "Swish", "Tanh", "ThresholdedRelu"}
)
_REDUCES = {"ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"}


@dataclass(frozen=True, slots=True)
class Form:
    """How a node runs channels-last.

    data:        indices of inputs that are channels-last then.
    spreads:     whether these are broadcast, and may have fewer axes.
    constants:   values of inputs that change, by index.
    attributes:  those that change.
    keeps:       whether outputs have all four axes, and so are channels-last too.
    convolves:   whether it is com.microsoft's NhwcConv.
    """

    data: tuple[int, ...] = (0,)
    spreads: bool = False
    constants: Mapping[int, Array] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    keeps: bool = True
    convolves: bool = False


def forms_of(graph: Graph) -> dict[int, Form]:
    """The forms of those nodes that have one, by the node's index."""
    opset = max((o.version for o in graph.body.opset_import if o.domain in ("", "ai.onnx")), default=0)
    nodes = enumerate(graph.body.graph.node) if opset >= _OLDEST_OPSET else ()
    return {index: form for index, node in nodes if (form := _form(node, graph))}


def _form(node: onnx.NodeProto, graph: Graph) -> Form | None:
    kind = node.op_type
    if node.domain not in ("", "ai.onnx") or not node.input:
        return None
    if kind in _ELEMENTWISE:
        data = tuple(index for index, name in enumerate(node.input) if name)
        fits = graph.rank(node.output[0]) == 4 and all(0 <= graph.rank(node.input[i]) <= 4 for i in data)
        return Form(data, spreads=True) if fits else None
    if graph.rank(node.input[0]) != 4:
        return None
    if kind == "Conv":
        return _convolution(node, graph)
    if kind == "Concat" and all(graph.rank(name) == 4 for name in node.input):
        return Form(tuple(range(len(node.input))), attributes=_axis(node, 0))
    if kind == "Split":
        return Form(attributes=_axis(node, 0))
    if kind == "Softmax":
        return Form(attributes=_axis(node, -1))
    if kind == "Shape":
        return Form(keeps=False)
    if kind == "Slice":
        return _slice(node, graph)
    if kind == "Pad":
        return _pad(node, graph)
    if kind == "Resize":
        return _resize(node, graph)
    if kind in _REDUCES:
        return _reduce(node, graph)
    return None


def _convolution(node: onnx.NodeProto, graph: Graph) -> Form | None:
    weight = node.input[1]
    # NhwcConv on CUDA takes constants only (cuda_execution_provider.cc), so nothing may transpose them.
    at_hand = weight in graph.weights or weight in graph.constants
    return Form((0, 1), convolves=True) if at_hand and graph.kinds[weight] in FLOATS else None


def _axis(node: onnx.NodeProto, default: int) -> dict[str, int]:
    return {"axis": TO_PLAIN[attribute(node, "axis", default)]}


def _slice(node: onnx.NodeProto, graph: Graph) -> Form | None:
    axes = graph.constants.get(_input(node, 3))
    return None if axes is None else Form(constants={3: _mapped(axes)})


def _pad(node: onnx.NodeProto, graph: Graph) -> Form | None:
    pads = graph.constants.get(node.input[1])
    if pads is None or _input(node, 3):
        return None
    return Form(constants={1: pads.reshape(2, 4)[:, TO_LAST].ravel()})


def _resize(node: onnx.NodeProto, graph: Graph) -> Form | None:
    # CUDA's kernels for "linear" and "cubic" take the last two axes for height and width (upsample.cc).
    if attribute(node, "mode", b"nearest") != b"nearest" or attribute(node, "axes", None) or _input(node, 1):
        return None
    factors = {index: graph.constants.get(_input(node, index)) for index in (2, 3) if _input(node, index)}
    constants = {index: values[TO_LAST] for index, values in factors.items() if values is not None}
    return Form(constants=constants) if len(constants) == len(factors) else None


def _reduce(node: onnx.NodeProto, graph: Graph) -> Form | None:
    axes = graph.constants.get(_input(node, 1))
    if axes is None or not axes.size:
        return None
    mapped = _mapped(axes)
    keeps = bool(attribute(node, "keepdims", 1))
    # What is left without height and width, [N, C], is in the same order both ways.
    return Form(constants={1: mapped}, keeps=keeps) if keeps or {*mapped} == {1, 2} else None


def _input(node: onnx.NodeProto, index: int) -> str:
    """The name of an optional input, "" where it is left out."""
    return node.input[index] if index < len(node.input) else ""


def _mapped(axes: Array) -> Array:
    return np.array(TO_PLAIN, axes.dtype)[axes]
