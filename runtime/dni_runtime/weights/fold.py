"""Fold factors and shifts of channels behind a convolution into its weights, as ONNX Runtime does with constants.

convolve(x, W, b) * factor + shift = convolve(x, W * factor, b * factor + shift). Where weights are numbers that ONNX
Runtime does not know, it cannot, and the network would have some nodes more than a baked file has. In the head it costs
nothing but a product of small tensors for each new alpha: the factor is one of a recipe (`Recipe`), as BatchNorm's is.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx.helper import make_node
from onnx.numpy_helper import from_array

from .split import dependents, fixed_shapes

_FACTORS, _SHIFTS = frozenset({"Mul", "Div"}), frozenset({"Add", "Sub"})


def fold_channels(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model`, which has an input `alpha` and one other, with what follows a convolution alone folded into it.

    Left alone is what ONNX Runtime folds itself: constants into constants, and one number for all channels.
    """
    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    (image,) = (value.name for value in model.graph.input if value.name != "alpha")
    _Fold(
        folded.graph,
        fixed_shapes(onnx.shape_inference.infer_shapes(model).graph),
        dependents(model.graph, [image]),
        dependents(model.graph, ["alpha"]),
        {value.name for value in model.graph.output},
    ).run()
    return folded


@dataclass(frozen=True, slots=True)
class _Step:
    """A node that multiplies, divides, or moves each channel of what a convolution gives, by `operand`."""

    place: int
    node: onnx.NodeProto
    operand: str


@dataclass(slots=True)
class _Fold:
    graph: onnx.GraphProto
    shapes: dict[str, tuple[int, ...]]
    of_image: set[str]
    of_alpha: set[str]
    results: set[str]
    readers: dict[str, list[int]] = field(default_factory=dict)
    made: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def run(self) -> None:
        nodes = [[node] for node in self.graph.node]
        for place, node in enumerate(self.graph.node):
            for name in node.input:
                self.readers.setdefault(name, []).append(place)
        for place, conv in enumerate(self.graph.node):
            if steps := list(self._steps(conv)):
                # At the last one's place all operands are there.
                nodes[place] = []
                for step in steps:
                    nodes[step.place] = []
                nodes[steps[-1].place] = list(self._folded(conv, steps))
        made = [node for group in nodes for node in group]
        del self.graph.node[:]
        self.graph.node.extend(made)
        self.graph.initializer.extend(self.made.values())

    def _steps(self, conv: onnx.NodeProto) -> Iterator[_Step]:
        """What can be folded into `conv`."""
        group = next((a.i for a in conv.attribute if a.name == "group"), 1)
        if conv.op_type not in ("Conv", "ConvTranspose") or (group != 1 and conv.op_type == "ConvTranspose"):
            return
        weights = [name for name in conv.input[1:] if name]
        if not weights or len(self.shapes.get(weights[0], ())) < 3 or not self.of_image.isdisjoint(weights):
            return
        moving = not self.of_alpha.isdisjoint(weights)
        output, left = conv.output[0], len(self.graph.node)
        # As often as there are nodes: a graph may go in a circle.
        while left and output not in self.results and len(places := self.readers.get(output, [])) == 1:
            node, left = self.graph.node[places[0]], left - 1
            if node.op_type not in _FACTORS | _SHIFTS or len(node.input) != 2:
                return
            operand = node.input[1] if node.input[0] == output else node.input[0]
            if operand != node.input[1] and node.op_type in ("Div", "Sub"):
                return
            if not self._is_of_channels(operand, conv):
                return
            moves = operand in self.of_alpha
            by_number = node.op_type in _FACTORS and math.prod(self.shapes[operand]) == 1
            if not moves and (by_number or not moving):
                return
            moving = moving or moves
            yield _Step(places[0], node, operand)
            output = node.output[0]

    def _channels(self, conv: onnx.NodeProto) -> int:
        return self.shapes[conv.input[1]][0 if conv.op_type == "Conv" else 1]

    def _is_of_channels(self, operand: str, conv: onnx.NodeProto) -> bool:
        """Whether `operand` is a number, or one for each output channel; alpha itself is no weight."""
        rank, shape = len(self.shapes[conv.input[1]]), self.shapes.get(operand)
        if operand in self.of_image or operand == "alpha" or shape is None or len(shape) > rank:
            return False
        whole = (1,) * (rank - len(shape)) + shape
        return math.prod(whole) == whole[1] and whole[1] in (1, self._channels(conv))

    def _folded(self, conv: onnx.NodeProto, steps: list[_Step]) -> Iterator[onnx.NodeProto]:
        """The nodes in place of `conv` and of `steps`."""
        name = steps[-1].node.output[0]
        factor, bias = "", conv.input[2] if len(conv.input) > 2 else ""
        for number, step in enumerate(steps):
            kind, operand, value = step.node.op_type, f"dni@{name}@{number}", f"dni@{name}@{number}@{{}}".format
            yield make_node("Reshape", [step.operand, self._sizes(-1)], [operand])
            if kind in _FACTORS:
                yield make_node(
                    kind, [factor or self._constant("dni@unit", np.ones(1, np.float32)), operand], [value("factor")]
                )
                factor = value("factor")
            if bias:
                yield make_node(kind, [bias, operand], [value("bias")])
                bias = value("bias")
            elif kind in _SHIFTS:
                moved = operand
                if kind == "Sub":
                    moved = value("negative")
                    yield make_node("Neg", [operand], [moved])
                bias = value("bias")
                yield make_node("Expand", [moved, self._sizes(self._channels(conv))], [bias])
        weight = conv.input[1]
        if factor:
            column = [1] * len(self.shapes[weight])
            column[0 if conv.op_type == "Conv" else 1] = -1
            yield make_node("Reshape", [factor, self._sizes(*column)], [f"dni@{name}@column"])
            yield make_node("Mul", [weight, f"dni@{name}@column"], [f"dni@{name}@weight"])
            weight = f"dni@{name}@weight"
        new = onnx.NodeProto()
        new.CopyFrom(conv)
        new.input[:] = [conv.input[0], weight, *([bias] if bias else [])]
        new.output[0] = name
        yield new

    def _sizes(self, *sizes: int) -> str:
        return self._constant("dni@sizes" + "".join(f"@{size}" for size in sizes), np.array(sizes, np.int64))

    def _constant(self, name: str, values: npt.NDArray[Any]) -> str:
        self.made.setdefault(name, from_array(values, name))
        return name
