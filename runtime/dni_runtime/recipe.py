"""How each weight follows from alpha: a blend of stored tensors, such a blend times a factor, or anything else."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import onnx

from .split import RESHAPES, Split

Terms: TypeAlias = tuple[tuple[str, str], ...]
"""Of a blend: pairs of a stored tensor's name and that of its share, a value of one element made of alpha, or ONE."""

ONE = "dni@one"
"""The share of what is added as it is: the B of B + alpha * (A - B). A name that no network uses."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """weight = (sum of share * stored over `terms`) * `factor`, elementwise; or `terms` is empty.

    terms:    what is summed.
    factor:   value of fewer elements that the sum is multiplied with, None for 1. BatchNorm's, for example:
              a product of two blends is no blend, but it is as cheap where one of them is small.
    divides:  whether the sum is divided by the factor instead.
    """

    terms: Terms
    factor: str | None = None
    divides: bool = False


class Recipes:
    """Reads recipes off the head of a model."""

    def __init__(self, halves: Split) -> None:
        self._shapes = halves.shapes()
        self._stored = {tensor.name for tensor in halves.model.graph.initializer} | halves.widened.keys()
        self._makers = {name: node for node in halves.head for name in node.output}

    def of(self, weight: str) -> Recipe:
        """The recipe of a value that the head computes."""
        if terms := self.blend(weight):
            return Recipe(terms)
        node = self._makers[weight]
        if node.op_type in ("Mul", "Div"):
            for blend, factor in _pairs(node):
                terms = self.blend(blend)
                if terms and self._size(blend) == self._size(weight) and self._size(factor) < self._size(weight):
                    return Recipe(terms, factor, node.op_type == "Div")
        return Recipe(())

    def blend(self, value: str) -> Terms:
        """The terms of a value of the model that is a blend; none where it is not."""
        node = self._makers.get(value)
        if node is None or self._size(value) == 0:
            return ()
        if node.op_type == "Add":
            # One that is spread over the other has its elements elsewhere.
            same = all(self._size(name) == self._size(value) for name in node.input)
            parts = [((name, ONE),) if name in self._stored else self.blend(name) for name in node.input if same]
            return tuple(term for part in parts for term in part) if same and all(parts) else ()
        if node.op_type == "Mul":
            for stored, share in _pairs(node):
                if stored in self._stored and self._size(stored) == self._size(value) and self._is_share(share):
                    return ((stored, self.root(share)),)
        return ()

    def _is_share(self, value: str) -> bool:
        """Whether a value is one number made of alpha and constants, and of no weight."""
        return self._size(value) == 1 and self._knows_no_weight(value)

    def _knows_no_weight(self, value: str) -> bool:
        node = self._makers.get(value)
        if node is None:
            return True
        return not self.blend(value) and all(self._knows_no_weight(name) for name in node.input if name)

    def root(self, value: str) -> str:
        """The value that `value` is, but for its shape."""
        node = self._makers.get(value)
        return value if node is None or node.op_type not in RESHAPES else self.root(node.input[0])

    def _size(self, value: str) -> int:
        """The number of elements, 0 where it is not fixed."""
        if value not in self._shapes:
            return 0
        total = 1
        for size in self._shapes[value]:
            total *= size
        return total


def _pairs(node: onnx.NodeProto) -> Iterator[tuple[str, str]]:
    first, second = node.input
    yield first, second
    if node.op_type == "Mul":
        yield second, first
