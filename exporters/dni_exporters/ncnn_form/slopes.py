"""One slope for all channels is a number in ncnn's graph, where nothing can move it: give each channel its own."""

import numpy as np
import onnx
from onnx.numpy_helper import from_array, to_array


def spread_slopes(model: onnx.ModelProto) -> None:
    """Repeat the slope of every PRelu that has one; ncnn's weights are then one element of the model's, repeated."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = (*graph.value_info, *graph.input)
    channels = {
        v.name: v.type.tensor_type.shape.dim[1].dim_value for v in values if len(v.type.tensor_type.shape.dim) > 1
    }
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for number, node in enumerate(model.graph.node):
        if node.op_type != "PRelu" or node.input[1] not in stored or not (count := channels.get(node.input[0], 0)):
            continue
        slope = to_array(stored[node.input[1]])
        if slope.size == 1:
            name = f"dni@slopes_{number}"
            model.graph.initializer.append(from_array(np.full((count, 1, 1), slope.ravel()[0], np.float32), name))
            node.input[1] = name
