"""Lay out the weights of an alpha-input model in one buffer, and compute them there by few kernels.

A kernel for every tensor costs more than the arithmetic: 2106 of an RRDBNet, in the file's own graph under a CUDA
graph, take 4 ms (measured on an H200), where copying as many bytes takes 0.05. So the endpoints of all weights that
are blends lie one after another, and are blended by one product of matrices.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from dni_runtime.cuda.channels_last.graph import TO_LAST, to_last
from dni_runtime.weights.recipe import Recipes, Terms
from dni_runtime.weights.stored import Stored

from .batch import Batches, Flat, slot
from .head_nodes import BLOCK, HeadNodes

Tensor = npt.NDArray[Any]

# Weights start at multiples of this many bytes, as what cudaMalloc gives does.
_ALIGNMENT_BYTES = 256
KINDS: dict[int, np.dtype[Any]] = {TensorProto.FLOAT: np.dtype(np.float32), TensorProto.FLOAT16: np.dtype(np.float16)}


@dataclass(frozen=True, slots=True)
class Part:
    """A tensor in the buffer, `start` bytes from its first; of an ONNX element type."""

    name: str
    kind: int
    shape: tuple[int, ...]
    start: int


@dataclass(slots=True)
class Buffer:
    """Lays out weights, and makes the nodes of the head that compute them.

    factors:  what a weight is multiplied with. moved: weights that the body wants channels-last.
    made:     what the head gives. weights: what the body takes. fixed: values of those that alpha does not move.
    end:      bytes so far.
    """

    shapes: Mapping[str, tuple[int, ...]]
    recipes: Recipes
    stored: Stored
    factors: Mapping[str, float]
    moved: frozenset[str]
    head: HeadNodes
    batches: Batches
    made: list[Part] = field(default_factory=list)
    weights: list[Part] = field(default_factory=list)
    fixed: dict[str, Tensor] = field(default_factory=dict)
    end: int = 0
    _blends: dict[tuple[int, tuple[str, ...]], list[tuple[str, Terms]]] = field(default_factory=dict)
    _others: list[tuple[str, int]] = field(default_factory=list)

    def add(self, name: str, kind: int) -> None:
        """Take the weight `name`, which moves."""
        terms = self.recipes.blend(self.recipes.root(name))
        if terms:
            shares = tuple(share for _, share in terms)
            self._blends.setdefault((kind, shares), []).append((name, terms))
        else:
            self._others.append((name, kind))

    def add_fixed(self, name: str, values: Tensor, kind: int) -> None:
        """Take the weight `name`, which alpha does not move."""
        values = self._arranged(name, self._scaled(name, values))
        self.fixed[name] = values
        self.weights.append(Part(name, kind, values.shape, self._take(values.nbytes)))

    def finish(self) -> None:
        """Lay out all that was added, and make the nodes that compute it."""
        for number, ((kind, shares), blends) in enumerate(self._blends.items()):
            self._pack(f"dni@blend{number}", kind, shares, blends)
        others = dict(self._others)
        for group in self.batches.alike(list(others)):
            self._batch(group, others[group[0]])
            for name in group:
                del others[name]
        for name, kind in others.items():
            self._append_other(name, kind)

    def _pack(self, label: str, kind: int, shares: tuple[str, ...], blends: list[tuple[str, Terms]]) -> None:
        dtype = KINDS[kind]
        first = self.end
        parts = []
        for name, _ in blends:
            shape = self._shape(name)
            parts.append(Part(name, kind, shape, self._take(math.prod(shape) * dtype.itemsize)))
        rows = [np.zeros((self.end - first) // dtype.itemsize, dtype) for _ in shares]
        for part, (name, terms) in zip(parts, blends, strict=True):
            start = (part.start - first) // dtype.itemsize
            for row, (constant, _) in zip(rows, terms, strict=True):
                values = self._scaled(name, self.stored[constant]).reshape(self.shapes[name])
                row[start : start + math.prod(part.shape)] = self._arranged(name, values).ravel()
        self.weights += parts
        self.head.blend(label, rows, shares)
        self.made.append(Part(label, kind, (len(rows[0]) // BLOCK, BLOCK), first))

    def _scaled(self, name: str, values: Tensor) -> Tensor:
        if (factor := self.factors.get(name, 1.0)) == 1:
            return values
        return (values.astype(np.float32) * np.float32(factor)).astype(values.dtype)

    def _batch(self, names: list[str], kind: int) -> None:
        """Weights that are one expression, each of its own values."""
        flat = self.batches.compute(names)
        result, label = flat.name, f"{names[0]}@dni@batch"
        if not self.factors.keys().isdisjoint(names):
            factors = [self.factors.get(name, 1.0) for name in names]
            scales = np.repeat(factors, [slot(shape) for shape in flat.shapes]).astype(KINDS[kind])
            scale = self.head.large(f"{label}@factor", scales)
            result = self.head.op("Mul", [result, scale], f"{label}@scaled")
        if not self.moved.isdisjoint(names):
            moved = iter(name in self.moved for name in names)

            def order(shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
                numbers = np.arange(math.prod(shape)).reshape(shape)
                return (to_last(numbers) if next(moved) else numbers).ravel()

            result = self.batches.rearranged(Flat(result, flat.shapes), order, label)
        first = self._take(flat.total * KINDS[kind].itemsize)
        self.made.append(Part(result, kind, (flat.total,), first))
        for name, start in zip(names, flat.starts, strict=True):
            self.weights.append(Part(name, kind, self._shape(name), first + start * KINDS[kind].itemsize))

    def _append_other(self, name: str, kind: int) -> None:
        """A weight that is more than a blend, as the graph computes it, scaled and moved where the body wants it so."""
        value = name
        if (factor := self.factors.get(name, 1.0)) != 1:
            factors = self.head.small(f"{name}@dni@factor", np.array(factor, KINDS[kind]))
            value = self.head.op("Mul", [value, factors], f"{name}@dni@scaled")
        if name in self.moved:
            shape = self.shapes[name]
            four = np.array((1,) * (4 - len(shape)) + shape, np.int64)
            wide = self.head.op("Reshape", [value, self.head.small(f"{name}@dni@four", four)], f"{name}@dni@wide")
            value = self.head.op("Transpose", [wide], f"{name}@dni@moved", perm=TO_LAST)
        shape = self._shape(name)
        start = self._take(math.prod(shape) * KINDS[kind].itemsize)
        self.made.append(Part(value, kind, shape, start))
        self.weights.append(Part(name, kind, shape, start))

    def _shape(self, name: str) -> tuple[int, ...]:
        """The shape that the body wants of a weight."""
        shape = self.shapes[name]
        return to_last(np.broadcast_to(np.int8(0), shape)).shape if name in self.moved else shape

    def _arranged(self, name: str, values: Tensor) -> Tensor:
        return np.ascontiguousarray(to_last(values)) if name in self.moved else values

    def _take(self, size_bytes: int) -> int:
        start = self.end
        self.end += -(-size_bytes // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
        return start
