"""Write a piece of a graph, one operator at a time."""

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper


class Constants:
    """Constants of a graph by what they hold: all of its pieces share them. Their names begin with `prefix`."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._tensors: dict[bytes, onnx.TensorProto] = {}

    def of(self, values: npt.ArrayLike, dtype: type[np.generic]) -> str:
        """The name of a constant."""
        array = np.asarray(values, dtype)
        key = repr((array.dtype, array.shape)).encode() + array.tobytes()
        name = f"{self._prefix}@{len(self._tensors)}"
        return str(self._tensors.setdefault(key, onnx.numpy_helper.from_array(array, name)).name)

    def tensors(self) -> Iterable[onnx.TensorProto]:
        """All of them."""
        return self._tensors.values()


class Operators:
    """Nodes in the order in which they run; values are known by their names, which begin with `prefix`.

    Numbers are int64 in one dimension: sizes, of which most are one number.
    """

    def __init__(self, prefix: str, constants: Constants) -> None:
        self._names = (f"{prefix}{number}" for number in itertools.count())
        self._constants = constants
        self.nodes: list[onnx.NodeProto] = []

    def add(self, operator: str, inputs: list[str], *, domain: str = "", **attributes: Any) -> str:
        """The value that a new node makes."""
        made = self.name()
        self.nodes.append(helper.make_node(operator, inputs, [made], domain=domain, **attributes))
        return made

    def name(self) -> str:
        """A new one."""
        return next(self._names)

    def take(self, nodes: Iterable[onnx.NodeProto] = ()) -> list[onnx.NodeProto]:
        """Those until now, to begin anew with `nodes`: a graph inside the graph."""
        taken, self.nodes = self.nodes, list(nodes)
        return taken

    def ints(self, *values: int) -> str:
        """Numbers that are known."""
        return self._constants.of(values, np.int64)

    def floats(self, values: npt.ArrayLike) -> str:
        """A constant of float32."""
        return self._constants.of(values, np.float32)

    def count(self, count: int, *shape: int) -> str:
        """0 to count - 1, in a shape."""
        return self._constants.of(np.arange(count).reshape(shape), np.int64)

    def range(self, count: str) -> str:
        """0 to count - 1, where that is a value."""
        return self.add("Range", [self.ints(0), count, self.ints(1)])

    def reshaped(self, value: str, *shape: int) -> str:
        """As the operator Reshape: 0 for a size that stays, -1 for what is left."""
        return self.add("Reshape", [value, self.ints(*shape)])

    def plus(self, first: str, *others: str | int) -> str:
        """The sum."""
        return self._reduced("Add", first, others)

    def times(self, first: str, *others: str | int) -> str:
        """The product."""
        return self._reduced("Mul", first, others)

    def divided(self, value: str, by: str | int, *, up: bool = False) -> str:
        """The quotient, rounded down, or `up`."""
        divisor = by if isinstance(by, str) else self.ints(by)
        dividend = self.plus(value, self.plus(divisor, -1)) if up else value
        return self.add("Div", [dividend, divisor])

    def pair(self, value: str) -> tuple[str, str]:
        """Two numbers, each by itself."""
        first, second = (self.add("Slice", [value, self.ints(i), self.ints(i + 1)]) for i in range(2))
        return first, second

    def _reduced(self, operator: str, first: str, others: Iterable[str | int]) -> str:
        for other in others:
            first = self.add(operator, [first, other if isinstance(other, str) else self.ints(other)])
        return first


def graph(name: str, nodes: list[onnx.NodeProto], made: str, number: str | None = None) -> onnx.GraphProto:
    """A graph inside a graph, that makes one tensor of float32; `number`: its input, an int64."""
    inputs = [] if number is None else [helper.make_tensor_value_info(number, TensorProto.INT64, [])]
    return helper.make_graph(nodes, name, inputs, [helper.make_tensor_value_info(made, TensorProto.FLOAT, None)])
