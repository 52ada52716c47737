"""Compute wide 3 x 3 convolutions by Winograd's minimal filtering, for which ONNX Runtime has no operator on a CPU.

It takes a quarter of the products, and sums before and behind them. The result differs by the rounding of these sums.
"""

from collections.abc import Mapping, Sequence

import onnx
from onnx import helper

from .convolution import MICROSOFT, Convolution
from .layout import BLOCKED, LEAST_OPSET, channel_block, graphs, known_shapes
from .operators import Constants
from .tiling import TAPS

# Where fewer channels are read and made, the sums take longer than the products that are saved: measured.
_LEAST_CHANNELS = 128 * 128


def with_winograd(body: bytes, *, small: bool = False) -> bytes:
    """The same model with Winograd's way for its wide 3 x 3 convolutions, where the image is large enough for a gain.

    `body`: optimized by ONNX Runtime for this machine's CPU. Its inputs and outputs stay as they are, weights
    included: they are transformed with every call, which costs less than to blend them transformed, four times as many.
    `small`: for images of any size, to be compared on a small one. Where nothing is to be gained it is `body`.
    """
    model = onnx.load_from_string(body)
    versions = {entry.domain: entry.version for entry in model.opset_import}
    if versions.get("", 0) < LEAST_OPSET or BLOCKED not in versions:
        return body
    shapes, constants, found = known_shapes(model.graph), Constants("winograd"), 0
    for graph in [*graphs(model.graph)]:
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
