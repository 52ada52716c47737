"""Compute wide 3 x 3 convolutions by Winograd's minimal filtering, for which ONNX Runtime has no operator on a CPU.

It takes a quarter of the products, and sums before and behind them. The result differs by the rounding of these sums.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from .convolution import BLOCKED, MICROSOFT, Convolution
from .operators import Constants
from .tiling import TAPS

# Where fewer channels are read and made, the sums take longer than the products that are saved: measured.
_LEAST_CHANNELS = 128 * 128
# Of the operators of `convolution`, in the forms that it uses.
_LEAST_OPSET = 18


def with_winograd(body: bytes, *, small: bool = False) -> bytes:
    """The same model with Winograd's way for its wide 3 x 3 convolutions, where the image is large enough for a gain.

    `body`: optimized by ONNX Runtime for this machine's CPU. Its inputs and outputs stay as they are, weights
    included: they are transformed with every call, which costs less than to blend them transformed, four times as many.
    `small`: for images of any size, to be compared on a small one. Where nothing is to be gained it is `body`.
    """
    model = onnx.load_from_string(body)
    versions = {entry.domain: entry.version for entry in model.opset_import}
    if versions.get("", 0) < _LEAST_OPSET or BLOCKED not in versions:
        return body
    shapes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in model.graph.input}
    shapes.update({tensor.name: list(tensor.dims) for tensor in model.graph.initializer})
    constants, found = Constants(), 0
    for graph in [*_graphs(model.graph)]:
        nodes: list[onnx.NodeProto] = []
        for node in graph.node:
            if _is_wide(node, shapes, block := channel_block()):
                out_channels, in_channels, *_ = shapes[node.input[1]]
                prefix, found = f"winograd{found}@", found + 1
                nodes += Convolution(node, (out_channels, in_channels), block, prefix, constants, small=small).nodes()
            else:
                nodes.append(node)
        if len(nodes) > len(graph.node):
            del graph.node[:]
            graph.node.extend(nodes)
    if not found:
        return body
    model.graph.initializer.extend(constants.tensors())
    if MICROSOFT not in versions:
        model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    changed: bytes = model.SerializeToString()
    return changed


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and those inside it, these first."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _graphs(attribute.g)
    yield graph


def _is_wide(node: onnx.NodeProto, shapes: Mapping[str, Sequence[int]], block: int) -> bool:
    """Whether it is a 3 x 3 convolution in blocks of channels, of so many that it may gain."""
    if (node.op_type, node.domain) != ("Conv", BLOCKED) or any(node.input[3:]):
        return False
    given = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    usual = {"strides": [1, 1], "dilations": [1, 1], "group": 1, "auto_pad": b"NOTSET"}
    out_channels, in_channels, *kernel = shapes.get(node.input[1]) or (0, 0)
    return (
        kernel == [TAPS, TAPS]
        and all(given.get(name, value) == value for name, value in usual.items())
        and in_channels % block == out_channels % block == 0
        and in_channels * out_channels >= _LEAST_CHANNELS
    )


@functools.cache
def channel_block() -> int:
    """How many channels ONNX Runtime puts next to each other on this CPU: two pixels tell."""
    channels = 64
    node = helper.make_node("ReorderInput", ["x"], ["y"], domain=BLOCKED)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 1, 2]) for name in "xy"]
    imports = [helper.make_opsetid("", _LEAST_OPSET), helper.make_opsetid(BLOCKED, 1)]
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
