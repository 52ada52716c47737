"""Say relative to an image what ONNX Runtime has computed for one size of it, so that it holds for others.

A network that cuts off what it has padded, or enlarges by a factor, computes sizes from the image's. Once that is
computed there are numbers of pixels: an end of a slice, the sizes that a Resize makes.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx.numpy_helper import from_array, to_array

# Of NCHW: these depend on the image.
_SPATIAL = (2, 3)
# Where Slice and Resize have them.
_ENDS, _AXES, _STEPS = 2, 3, 4
_SCALES, _SIZES = 2, 3
_BEYOND = np.iinfo(np.int64).max


def make_relative(model: onnx.ModelProto) -> None:
    """Rewrite ends of slices as distances from the image's, and sizes as factors, where that is the same."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    stored = {tensor.name: tensor for tensor in model.graph.initializer}

    def constant(node: onnx.NodeProto, number: int) -> list[float] | None:
        there = len(node.input) > number and node.input[number] in stored
        return to_array(stored[node.input[number]]).tolist() if there else None

    for count, node in enumerate(model.graph.node):
        sizes = shapes.get(node.input[0] if node.input else "", [])
        if node.op_type == "Slice" and len(sizes) == len(_SPATIAL) + 2:
            ends, axes = constant(node, _ENDS), constant(node, _AXES)
            if ends is None or axes is None or any(step != 1 for step in constant(node, _STEPS) or []):
                continue
            moved = [_relative(int(end), sizes[int(axis)], int(axis)) for end, axis in zip(ends, axes, strict=True)]
            node.input[_ENDS] = _add(model, f"dni@ends_{count}", np.array(moved, np.int64))
        elif node.op_type == "Resize" and len(wanted := constant(node, _SIZES) or []) == len(sizes) and all(sizes):
            factors = np.array(wanted, np.float32) / np.array(sizes, np.float32)
            if np.array_equal(np.floor(factors * np.array(sizes, np.float32)), wanted):
                node.input[_SCALES] = _add(model, f"dni@scales_{count}", factors)
                del node.input[_SIZES:]


def _relative(end: int, size: int, axis: int) -> int:
    if axis not in _SPATIAL or end <= 0 or not size:
        return end
    return end - size if end < size else _BEYOND


def _add(model: onnx.ModelProto, name: str, values: npt.NDArray[Any]) -> str:
    model.graph.initializer.append(from_array(values, name))
    return name
