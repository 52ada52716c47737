"""ONNX Runtime's layout for convolutions on a CPU: channels in blocks, (N, C / block, H, W, block) in memory."""

import functools
from collections.abc import Iterator

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

BLOCKED = "com.microsoft.nchwc"
# Of the operators that are written here, in the forms that are used.
LEAST_OPSET = 18


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and those inside it, these first."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from graphs(attribute.g)
    yield graph


def known_shapes(graph: onnx.GraphProto) -> dict[str, list[int]]:
    """The sizes of inputs, 0 where they may vary, and of constants, those of graphs inside it, too."""
    shapes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in graph.input}
    return {**shapes, **{tensor.name: list(tensor.dims) for part in graphs(graph) for tensor in part.initializer}}


@functools.cache
def channel_block() -> int:
    """How many channels ONNX Runtime puts next to each other on this CPU: two pixels tell."""
    channels = 64
    node = helper.make_node("ReorderInput", ["x"], ["y"], domain=BLOCKED)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 1, 2]) for name in "xy"]
    imports = [helper.make_opsetid("", LEAST_OPSET), helper.make_opsetid(BLOCKED, 1)]
    model = helper.make_model(helper.make_graph([node], "block", ends[:1], ends[1:]), opset_imports=imports)
    model.ir_version = 8
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    places = np.zeros((1, channels, 1, 2), np.float32)
    places[..., 1] = 1  # the second pixel's channels
    (y,) = session.run(None, {"x": places})
    return int(np.flatnonzero(y.ravel())[0])
