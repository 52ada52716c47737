"""Keep values in blocks of channels where ONNX Runtime puts them in order, only to make blocks of them again.

Its convolutions work on blocks, but sums of cropped images, means, and transposed convolutions of stride 2 between
them do not: U-Nets go from one layout to the other for each of their skips.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import onnx
from onnx import helper

from .layout import BLOCKED, LEAST_OPSET, channel_block, graphs, known_shapes
from .operators import Constants, Operators
from .tiling import side_by_side

_UNARY = frozenset({"LeakyRelu", "Relu", "Sigmoid", "Tanh"})
_BINARY = frozenset({"Add", "Mul", "Sub"})
_FUSED = frozenset({"LeakyRelu", "Relu"})
_TO_THE_END = 2**31 - 1


def staying_blocked(body: bytes) -> bytes:
    """The same model, `body`, with fewer changes of layout; `body` itself where there is nothing to change.

    `body`: optimized by ONNX Runtime for this machine's CPU.
    """
    model = onnx.load_from_string(body)
    versions = {entry.domain: entry.version for entry in model.opset_import}
    if versions.get("", 0) < LEAST_OPSET or BLOCKED not in versions:
        return body
    constants, shapes = Constants("blocked"), known_shapes(model.graph)
    numbers = {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for graph in graphs(model.graph)
        for tensor in graph.initializer
        if tensor.data_type == tensor.INT64
    }
    changed = False
    for number, graph in enumerate(graphs(model.graph)):
        if not any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
            staying = _Staying(graph, shapes, numbers, Operators(f"blocked{number}@", constants))
            if staying.found:
                changed = True
                del graph.node[:]
                graph.node.extend(staying.nodes)
    if not changed:
        return body
    model.graph.initializer.extend(constants.tensors())
    result: bytes = model.SerializeToString()
    return result


class _Staying:
    """`nodes`: those of a graph, with values in blocks for as long as may be; `found`: of how many nodes."""

    def __init__(
        self, graph: onnx.GraphProto, shapes: dict[str, list[int]], numbers: dict[str, Any], ops: Operators
    ) -> None:
        self._shapes, self._numbers, self._ops, self._block = shapes, numbers, ops, channel_block()
        self._uses = Counter(name for node in graph.node for name in node.input)
        self._uses.update(value.name for value in graph.output)
        # Values by the names that they have in order: in blocks, and of how many channels.
        self._blocked: dict[str, tuple[str, int]] = {}
        self._in_order: set[str] = set()
        self._renamed: dict[str, str] = {}
        # Convolutions that may still get an activation, by what is made of them.
        self._last: dict[str, onnx.NodeProto] = {}
        self.found = 0
        for node in graph.node:
            self._read(node)
        self._put_in_order(value.name for value in graph.output)
        self.nodes = ops.nodes

    def _read(self, node: onnx.NodeProto) -> None:
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.domain == BLOCKED and not given.get("channels_last"):
            if node.op_type == "ReorderOutput" and given["channels"] % self._block == 0:
                source = self._renamed.get(node.input[0], node.input[0])
                self._blocked[node.output[0]] = source, given["channels"]
                return
            if node.op_type == "ReorderInput" and node.input[0] in self._blocked:
                self._renamed[node.output[0]] = self._blocked[node.input[0]][0]
                return
        if node.domain in ("", "ai.onnx") and (made := self._in_blocks(node, given)):
            self._blocked[node.output[0]] = made
            self.found += 1
            return
        kept = onnx.NodeProto()
        kept.CopyFrom(node)
        if node.op_type == "Shape" and node.input[0] in self._blocked:
            kept.input[0] = self._blocked[node.input[0]][0]  # of the same sizes
        else:
            self._put_in_order(node.input)
            kept.input[:] = [self._renamed.get(name, name) for name in node.input]
        self._ops.nodes.append(kept)

    def _put_in_order(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self._blocked and name not in self._in_order:
                value, channels = self._blocked[name]
                reorder = helper.make_node("ReorderOutput", [value], [name], domain=BLOCKED, channels=channels)
                self._ops.nodes.append(reorder)
                self._in_order.add(name)

    def _in_blocks(self, node: onnx.NodeProto, given: dict[str, Any]) -> tuple[str, int] | None:
        """The node's result in blocks, and its channels; None where it has to be computed in order."""
        operands = [self._blocked.get(name) for name in node.input]
        if not operands or (first := operands[0]) is None:
            return None
        x, channels = first
        if node.op_type in _UNARY:
            last = self._last.get(x)
            if last is not None and node.op_type in _FUSED and self._uses[node.input[0]] == 1:
                slope = given.get("alpha", 0.01)
                del self._last[x]  # it can have one
                last.attribute.append(helper.make_attribute("activation", node.op_type))
                last.attribute.extend(
                    [helper.make_attribute("activation_params", [slope])] * (node.op_type == "LeakyRelu")
                )
                return first
            return self._ops.add(node.op_type, [x], **given), channels
        if node.op_type in _BINARY and (second := operands[1]) is not None and second[1] == channels:
            pair = [self._with_blocks(x, channels), self._with_blocks(second[0], channels)]
            return self._as_one(self._ops.add(node.op_type, pair), channels), channels
        if node.op_type == "Pad" and (crop := self._crop(node, given)) is not None:
            begins, ends = crop
            inputs = [
                self._with_blocks(x, channels),
                self._ops.ints(*begins),
                self._ops.ints(*ends),
                self._ops.ints(2, 3),
            ]
            return self._as_one(self._ops.add("Slice", inputs), channels), channels
        if node.op_type == "Slice" and (axes := self._rows_or_columns(node)):
            inputs = [self._with_blocks(x, channels), *node.input[1:3], self._ops.ints(*axes), *node.input[4:]]
            return self._as_one(self._ops.add("Slice", inputs), channels), channels
        if node.op_type == "ReduceMean" and self._is_over_pixels(node, given):
            # First of rows: sums of so many numbers, one after the other, would be less exact.
            mean = self._with_blocks(x, channels)
            for axis in (3, 2):
                mean = self._ops.add("ReduceMean", [mean, self._ops.ints(axis)], keepdims=1)
            return self._as_one(mean, channels), channels
        if node.op_type == "ConvTranspose" and self._doubles(node, given):
            return self._doubled(node, x), self._shapes[node.input[1]][1]
        return None

    def _with_blocks(self, x: str, channels: int) -> str:
        """(N, C / block, H, W, block): as it is in memory."""
        return self._ops.reshaped(x, 0, channels // self._block, 0, 0, self._block)

    def _as_one(self, x: str, channels: int) -> str:
        """(N, C, H, W): as ONNX Runtime says, what it is in memory aside."""
        return self._ops.reshaped(x, 0, channels, 0, 0)

    def _crop(self, node: onnx.NodeProto, given: dict[str, Any]) -> tuple[list[int], list[int]] | None:
        """Where rows and columns begin and end that a Pad of negative sizes leaves."""
        pads = self._numbers.get(node.input[1]) if len(node.input) > 1 else None
        if pads is None or any(node.input[3:]) or pads.shape != (8,) or pads.max() > 0 or pads[[0, 1, 4, 5]].any():
            return None
        if given.get("mode", b"constant") != b"constant":
            return None
        ends = [int(size) or _TO_THE_END for size in pads[6:]]
        return [-int(size) for size in pads[2:4]], ends

    def _rows_or_columns(self, node: onnx.NodeProto) -> list[int]:
        """The axes of a Slice if they are no others."""
        axes = self._numbers.get(node.input[3]) if len(node.input) > 3 else None
        found = [] if axes is None else [int(axis) % 4 for axis in axes]
        return found if {*found} <= {2, 3} else []

    def _is_over_pixels(self, node: onnx.NodeProto, given: dict[str, Any]) -> bool:
        axes = self._numbers.get(node.input[1]) if len(node.input) > 1 else None
        return axes is not None and sorted(axes % 4) == [2, 3] and given.get("keepdims", 1) == 1

    def _doubles(self, node: onnx.NodeProto, given: dict[str, Any]) -> bool:
        """Whether each pixel becomes 2 x 2, none of which it shares."""
        usual = {"pads": [0] * 4, "output_padding": [0, 0], "dilations": [1, 1], "group": 1, "auto_pad": b"NOTSET"}
        in_channels, out_channels, *kernel = self._shapes.get(node.input[1]) or (1, 1)
        return (
            kernel == [2, 2] == given.get("strides")
            and in_channels % self._block == out_channels % self._block == 0
            and "output_shape" not in given
            and all(given.get(name, value) == value for name, value in usual.items())
        )

    def _doubled(self, node: onnx.NodeProto, x: str) -> str:
        """A transposed convolution as one of 1 x 1 with four times the channels, whose results are put side by side."""
        ops, block = self._ops, self._block
        inputs, outputs, *_ = self._shapes[node.input[1]]
        weights = ops.reshaped(node.input[1], inputs // block, block, outputs // block, block, 2, 2)
        weights = ops.add("Transpose", [weights], perm=[4, 5, 2, 0, 1, 3])
        given = [x, ops.reshaped(weights, 4 * outputs, inputs, 1, 1)]
        if any(node.input[2:]):
            given.append(ops.add("Concat", [node.input[2]] * 4, axis=0))
        form = {"kernel_shape": [1, 1], "strides": [1, 1], "dilations": [1, 1], "pads": [0] * 4, "group": 1}
        parts = ops.add("Conv", given, domain=BLOCKED, **form)
        convolution = ops.nodes[-1]
        batch, size = ops.add("Shape", [x], start=0, end=1), ops.add("Shape", [x], start=2, end=4)
        lines = ops.add("Gather", [ops.reshaped(parts, -1, block), side_by_side(ops, batch, size, outputs // block)])
        shape = ops.add("Concat", [batch, ops.ints(outputs), ops.times(size, 2)], axis=0)
        made = ops.add("Reshape", [lines, shape])
        self._last[made] = convolution
        return made
