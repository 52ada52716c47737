"""Fold BatchNorm into the convolution before it, and constants into what they compute.

BatchNorm is folded in the graph, after the blend: W * gamma / sqrt(variance + epsilon) of blended
tensors is exact at every alpha. Folding each endpoint first and blending the results is not, since a
product of two blends is not linear in alpha.
"""

from collections.abc import Callable, Container
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from .nodes import Nodes
from .silence import silence

# A blended weight may have any size; onnxscript's own limit is made for shape arithmetic.
_NO_LIMIT = 2**62
# What makes float32 of weights that are stored as less.
_WIDENING = frozenset({"Cast", "DequantizeLinear"})
# Elementwise operators that NumPy computes as ONNX defines them, broadcasting and rounding included.
_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Div": np.divide,
    "Mul": np.multiply,
    "Sqrt": np.sqrt,
    "Sub": np.subtract,
}


def fold_batch_norm(model: ir.Model) -> None:
    """Fold each BatchNormalization into the Conv or ungrouped ConvTranspose that feeds it alone.

    One that follows anything else becomes a product and a sum. The parameters may be constants or computed; what
    is made of them is computed in the graph in the dtype of the BatchNorm's parameters (float32 in a float16 model,
    whose range the variance may leave).
    """
    for norm in list(model.graph):
        if norm.op_type == "BatchNormalization" and norm.inputs[0] is not None:
            conv = norm.inputs[0].producer()
            if conv is not None and _foldable(conv):
                _fold(model.graph, conv, norm)
            elif norm.inputs[0].shape is not None and norm.inputs[0].dtype is not None:
                _lower(model.graph, norm)


def fold_constants(model: ir.Model, *, keep_small: bool = False, only: Container[ir.Node] | None = None) -> None:
    """Compute, once and for all, everything that depends on constants alone; drop what nothing uses.

    keep_small: leave stored weights in the type that they are stored in.
    only:       compute these nodes alone.
    """
    from onnxscript import optimizer

    kept = _WIDENING if keep_small else frozenset()

    def is_folded(node: ir.Node) -> bool:
        return node.op_type not in kept and (only is None or node in only)

    _fold_arithmetic(model.graph, is_folded)
    with silence():
        optimizer.fold_constants(model, output_size_limit=_NO_LIMIT, should_fold=is_folded)
    common.RemoveUnusedNodesPass()(model)


def _fold_arithmetic(graph: ir.Graph, is_folded: Callable[[ir.Node], bool]) -> None:
    """The blend itself, thousands of products and sums, at NumPy's speed: half the time of baking a large network."""
    for node in graph:
        compute = _ARITHMETIC.get(node.op_type)
        operands = [v for v in node.inputs if v is not None and v.const_value is not None and not v.is_graph_input()]
        if compute is None or len(operands) != len(node.inputs) or not is_folded(node):
            continue
        output = node.outputs[0]
        name, output.name = output.name, None
        tensor = ir.tensor(compute(*(v.const_value.numpy() for v in operands if v.const_value is not None)), name=name)
        result = ir.Value(
            name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(tensor.shape.numpy()), const_value=tensor
        )
        ir.convenience.replace_all_uses_with(output, result)
        graph.remove(node, safe=True)
        graph.register_initializer(result)
        for operand in operands:
            if not operand.uses() and operand.name is not None and operand.name in graph.initializers:
                del graph.initializers[operand.name]
                operand.const_value = None  # graphs are cycles: their memory would wait for the collector


def _foldable(conv: ir.Node) -> bool:
    output = conv.outputs[0]
    if conv.op_type == "ConvTranspose" and conv.attributes.get_int("group", 1) != 1:
        return False
    return conv.op_type in ("Conv", "ConvTranspose") and len(output.uses()) == 1 and not output.is_graph_output()


def _fold(graph: ir.Graph, conv: ir.Node, norm: ir.Node) -> None:
    weight = conv.inputs[1]
    bias = conv.inputs[2] if len(conv.inputs) > 2 else None
    assert weight is not None and weight.dtype is not None and weight.shape is not None
    nodes = Nodes(graph, f"{norm.outputs[0].name}@")
    factor, new_bias = _affine(nodes, norm, bias)
    precise, stored = factor.dtype, weight.dtype
    assert precise is not None
    # Output channels are axis 0 of a Conv's weight and axis 1 of a ConvTranspose's.
    factor = _column(nodes, factor, len(weight.shape) - (1 if conv.op_type == "Conv" else 2), "factor_column")
    new_weight = nodes.add("Mul", [nodes.cast(weight, "weight", precise), factor], "new_weight", precise, weight.shape)
    output, normed = conv.outputs[0], norm.outputs[0]
    nodes.insert_before(conv)
    casts = Nodes(graph, f"{normed.name}@")
    conv.replace_input_with(1, casts.cast(new_weight, "stored_weight", stored))
    stored_bias = casts.cast(new_bias, "stored_bias", stored)
    if bias is None:
        conv.resize_inputs(3)
    conv.replace_input_with(2, stored_bias)
    casts.insert_before(conv)
    ir.convenience.replace_all_uses_with(normed, output, replace_graph_outputs=True)
    graph.remove(norm, safe=True)
    output.name = normed.name


def _lower(graph: ir.Graph, norm: ir.Node) -> None:
    """x * factor + shift: ONNX Runtime has no BatchNormalization of a float16 image and float32 statistics on CUDA."""
    x, normed = norm.inputs[0], norm.outputs[0]
    assert x is not None and x.shape is not None and x.dtype is not None
    name, normed.name = normed.name, None
    nodes = Nodes(graph, f"{name}@")
    columns = []
    for value, label in zip(_affine(nodes, norm, None), ("factor", "shift"), strict=True):
        column = _column(nodes, value, len(x.shape) - 2, f"{label}_column")
        columns.append(nodes.cast(column, f"stored_{label}", x.dtype))
    product = nodes.add("Mul", [x, columns[0]], "scaled", x.dtype, x.shape)
    assert name is not None
    total = nodes.add("Add", [product, columns[1]], "shifted", x.dtype, x.shape)
    nodes.insert_before(norm)
    ir.convenience.replace_all_uses_with(normed, total, replace_graph_outputs=True)
    graph.remove(norm, safe=True)
    total.name = name


def _affine(nodes: Nodes, norm: ir.Node, bias: ir.Value | None) -> tuple[ir.Value, ir.Value]:
    """What BatchNorm multiplies each channel with, and what it adds; `bias` is added to its input first."""
    scale, shift, mean, variance = norm.inputs[1:5]
    assert scale is not None and shift is not None and mean is not None
    assert variance is not None and variance.dtype is not None
    precise, channels = variance.dtype, variance.shape
    scale, shift = nodes.cast(scale, "scale", precise), nodes.cast(shift, "shift", precise)
    epsilon = nodes.constant("epsilon", ir.tensor([norm.attributes.get_float("epsilon", 1e-5)], dtype=precise))
    stabilised = nodes.add("Add", [variance, epsilon], "variance", precise, channels)
    deviation = nodes.add("Sqrt", [stabilised], "deviation", precise, channels)
    factor = nodes.add("Div", [scale, deviation], "factor", precise, channels)
    if bias is not None:
        mean = nodes.add("Sub", [mean, nodes.cast(bias, "bias", precise)], "mean", precise, channels)
    offset = nodes.add("Mul", [mean, factor], "offset", precise, channels)
    return factor, nodes.add("Sub", [shift, offset], "new_bias", precise, channels)


def _column(nodes: Nodes, value: ir.Value, ones: int, label: str) -> ir.Value:
    """A value for each channel, with `ones` axes behind it."""
    assert value.dtype is not None
    shape = nodes.constant(f"{label}_shape", ir.tensor([-1] + [1] * ones, dtype=ir.DataType.INT64))
    return nodes.add("Reshape", [value, shape], label, value.dtype, None)
