"""How each weight follows from alpha: a blend of stored tensors, such a blend times a factor, or anything else."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import onnx

from .split import RESHAPES, Split

Terms: TypeAlias = tuple[tuple[str, str], ...]
"""Of a blend: pairs of a stored tensor's name and that of its share, a value of one element made of alpha, or ONE."""

ONE = "dni@one"
"""The share of what is added as it is: the B of B + alpha * (A - B). A name that no network uses."""

# Endpoints are a few; a sum of x + x, again and again, is of twice as many terms each time.
_TERMS_LIMIT = 256


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
    """Reads recipes off the head of a model: once from its first node to its last, however they hang together."""

    def __init__(self, halves: Split) -> None:
        self._shapes = halves.shapes()
        self._stored = {tensor.name for tensor in halves.model.graph.initializer} | halves.widened.keys()
        self._makers = {name: node for node in halves.head for name in node.output}
        self._terms: dict[str, Terms] = {}
        self._roots: dict[str, str] = {}
        # Values made of alpha and constants alone. One that a later node makes is none: such a graph is out of order.
        self._without_weights: set[str] = set()
        for node in halves.head:
            self._read(node)

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
        return self._terms.get(value, ())

    def root(self, value: str) -> str:
        """The value that `value` is, but for its shape."""
        return self._roots.get(value, value)

    def _read(self, node: onnx.NodeProto) -> None:
        terms = self._blended(node)
        if terms and len(terms) <= _TERMS_LIMIT:
            self._terms[node.output[0]] = terms
        elif all(self._knows_no_weight(name) for name in node.input if name):
            self._without_weights.update(node.output)
        if node.op_type in RESHAPES and node.input:
            self._roots.update(dict.fromkeys(node.output, self.root(node.input[0])))

    def _blended(self, node: onnx.NodeProto) -> Terms:
        """The terms of what `node` makes."""
        if node.op_type not in ("Add", "Mul") or len(node.output) != 1 or not (size := self._size(node.output[0])):
            return ()
        if node.op_type == "Add":
            # One that is spread over the other has its elements elsewhere.
            if any(self._size(name) != size for name in node.input):
                return ()
            parts = [((name, ONE),) if name in self._stored else self.blend(name) for name in node.input]
            return tuple(term for part in parts for term in part) if all(parts) else ()
        for stored, share in _pairs(node):
            if stored in self._stored and self._size(stored) == size and self._is_share(share):
                return ((stored, self.root(share)),)
        return ()

    def _is_share(self, value: str) -> bool:
        """Whether a value is one number made of alpha and constants, and of no weight."""
        return self._size(value) == 1 and self._knows_no_weight(value)

    def _knows_no_weight(self, value: str) -> bool:
        return value not in self._makers or value in self._without_weights

    def _size(self, value: str) -> int:
        """The number of elements, 0 where it is not fixed."""
        return math.prod(self._shapes[value]) if value in self._shapes else 0


def _pairs(node: onnx.NodeProto) -> Iterator[tuple[str, str]]:
    if len(node.input) != 2:
        return
    first, second = node.input
    yield first, second
    if node.op_type == "Mul":
        yield second, first
