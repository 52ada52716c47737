"""Compute weights that are more than blends all at once: the same expression of many weights by the nodes of one.

What BatchNorm makes of a convolution's weight and bias is a dozen small operators, for every layer the same. One kernel
for each of them costs more than the arithmetic (0.5 ms for DnCNN on an H200, of which memory needs 0.01). So what they
are made of lies one after another, and each operator runs once over all layers.
"""

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from dni_runtime.weights.recipe import Recipes
from dni_runtime.weights.split import RESHAPES, CannotPrepareError, Split
from dni_runtime.weights.stored import Stored

from .head_nodes import HeadNodes, Tensor

# Each weight starts at a multiple of this many elements: of 256 bytes in float16, of 512 in float32.
SLOT = 128

_ELEMENTWISE = frozenset({"Add", "Cast", "Div", "Exp", "Mul", "Neg", "Pow", "Reciprocal", "Sqrt", "Sub"})

# `compute` calls itself that often. BatchNorm's expression is a dozen deep.
_DEPTH_LIMIT = 100

_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Flat:
    """One value of each of several weights, one after another; or one number for all (`shapes` is empty then)."""

    name: str
    shapes: Shapes

    @property
    def starts(self) -> list[int]:
        """The first element of each."""
        return list(accumulate((slot(shape) for shape in self.shapes[:-1]), initial=0)) if self.shapes else []

    @property
    def total(self) -> int:
        return sum(slot(shape) for shape in self.shapes)


class Batches:
    """Of the weights that the head of `halves` computes. Nodes and constants go into `head`."""

    def __init__(self, halves: Split, recipes: Recipes, stored: Stored, head: HeadNodes) -> None:
        graph = halves.model.graph
        self._shapes, self._recipes, self._stored, self._head = halves.shapes(), recipes, stored, head
        self._makers = {name: node for node in halves.head for name in node.output}
        self._constants = {t.name: t.data_type for t in graph.initializer if t.data_type in _FLOATS}
        self._constants |= dict.fromkeys(halves.widened, onnx.TensorProto.FLOAT)
        self._made: dict[tuple[str, ...], Flat] = {}
        # From the first node to the last, so that an expression is one number however deep it is.
        self._numbers: dict[str, Hashable] = {}
        self._known: dict[Hashable, int] = {}
        self._depths: dict[str, int] = {}
        for node in halves.head:
            self._read(node)

    def alike(self, values: Sequence[str]) -> Iterator[list[str]]:
        """`values` in groups of the same expression; without those that are no expression of this kind."""
        groups: dict[Hashable, list[str]] = {}
        for value in values:
            if (expression := self._expression(value)) is not None:
                groups.setdefault(expression, []).append(value)
        yield from groups.values()

    def compute(self, values: Sequence[str]) -> Flat:
        """Nodes for all `values`, a group of `alike`."""
        key = tuple(values)
        if key not in self._made:
            self._made[key] = self._compute(key)
        return self._made[key]

    def _read(self, node: onnx.NodeProto) -> None:
        """Number the expression that `node` is, if no other is the same."""
        reshapes = node.op_type in RESHAPES
        sources = node.input[:1] if reshapes else node.input  # not the shape that it is given
        inputs = tuple(self._expression(name) for name in sources)
        depth = 1 + max((self._depths.get(name, 0) for name in sources), default=0)
        if len(node.output) != 1 or None in inputs or depth > _DEPTH_LIMIT:
            return
        self._depths[node.output[0]] = depth
        if reshapes and inputs:
            self._numbers[node.output[0]] = inputs[0]
        elif node.op_type in _ELEMENTWISE:
            whole = (node.op_type, repr(_attributes(node)), inputs)
            self._numbers[node.output[0]] = self._known.setdefault(whole, len(self._known))

    def _expression(self, value: str) -> Hashable:
        """What is the same for the same expression, whatever the names and shapes of what it is made of.

        None where it is of another kind.
        """
        if value not in self._shapes:
            return None
        if terms := self._recipes.blend(value):
            return ("blend", *(share for _, share in terms), self._constants.get(terms[0][0]))
        if value in self._constants:
            number = len(self._shapes[value]) == 0 or max(self._shapes[value]) == 1
            return (self._constants[value], *(self._stored[value].ravel().tolist() if number else ()))
        return self._numbers.get(value)

    def _compute(self, values: tuple[str, ...]) -> Flat:
        label, shapes = f"dni@batch{len(self._made)}@{values[0]}", tuple(self._shapes[value] for value in values)
        if all_terms := [terms for value in values if (terms := self._recipes.blend(value))]:
            rows = [self._pack([terms[i][0] for terms in all_terms]) for i in range(len(all_terms[0]))]
            blocks = self._head.blend(f"{label}@blocks", rows, [share for _, share in all_terms[0]])
            return Flat(self._head.flat(blocks, label), shapes)
        if values[0] in self._constants:
            if max((1, *shapes[0])) == 1:
                return Flat(self._head.small(label, self._stored[values[0]].reshape(1)), ())
            return Flat(self._head.large(label, self._pack(values)), shapes)
        nodes = [self._makers[value] for value in values]
        if nodes[0].op_type in RESHAPES:
            inner = self.compute([node.input[0] for node in nodes])
            return Flat(inner.name, shapes if inner.shapes else ())
        inputs = [self.compute([node.input[index] for node in nodes]) for index in range(len(nodes[0].input))]
        spread = any(flat.shapes for flat in inputs)
        names = [self._spread(flat, shapes, f"{label}@{i}") if spread else flat.name for i, flat in enumerate(inputs)]
        return Flat(self._head.op(nodes[0].op_type, names, label, **_attributes(nodes[0])), shapes if spread else ())

    def rearranged(self, flat: Flat, index: Callable[[tuple[int, ...]], npt.NDArray[np.int64]], label: str) -> str:
        """Each value's elements in another order: `index` makes of its shape which element comes where."""
        return self._gather(flat, flat.shapes, index, label)

    def _spread(self, flat: Flat, shapes: Shapes, label: str) -> str:
        """`flat` with each of its values spread to the shape that the operator's result has."""
        sizes = [math.prod(shape) for shape in flat.shapes]
        if not sizes or sizes == [math.prod(shape) for shape in shapes]:
            return flat.name
        pairs = iter(zip(flat.shapes, shapes, strict=True))

        def index(_: tuple[int, ...]) -> npt.NDArray[np.int64]:
            own, wanted = next(pairs)
            return np.broadcast_to(np.arange(math.prod(own)).reshape(own), wanted).ravel()

        return self._gather(flat, shapes, index, label)

    def _gather(
        self, flat: Flat, shapes: Shapes, index: Callable[[tuple[int, ...]], npt.NDArray[np.int64]], label: str
    ) -> str:
        wanted = np.zeros(Flat("", shapes).total, np.int32)
        for own, start, shape in zip(flat.starts, Flat("", shapes).starts, shapes, strict=True):
            wanted[start : start + math.prod(shape)] = own + index(shape)
        return self._head.op("Gather", [flat.name, self._head.large(f"{label}@index", wanted)], f"{label}@spread")

    def _pack(self, names: Sequence[str]) -> Tensor:
        """Stored tensors one after another, each from a slot's start on."""
        tensors = [self._stored[name].ravel() for name in names]
        if len({tensor.dtype for tensor in tensors}) != 1:
            raise CannotPrepareError("weights of one expression are stored in several types")
        return np.concatenate([np.pad(t, (0, slot(t.shape) - t.size)) for t in tensors])


def slot(shape: tuple[int, ...]) -> int:
    """How many elements a value takes."""
    return -(-math.prod(shape) // SLOT) * SLOT


def _attributes(node: onnx.NodeProto) -> dict[str, object]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
