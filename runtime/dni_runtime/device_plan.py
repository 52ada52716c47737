"""Plan how a device holds and blends an alpha-input model's weights: all in one buffer, blended by few kernels.

A kernel for every tensor costs more than the arithmetic: 2106 launches for an RRDBNet, 10 ms, where memory needs 0.08.
So the endpoints of all weights that are blends lie one after another, and are blended piece by piece. A piece is so
small that what one kernel writes for the next stays in the GPU's cache (measured on an H100, 16.7 million weights in
float32: 0.19 ms as one piece, which is memory's speed for what three kernels read and write; copying as many bytes
as a blend has to move takes 0.08 ms).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from .channels_last import channels_last, channels_last_share
from .device_batch import Batches, Flat, slot
from .external_data import read_tensor
from .fold_scales import fold_scales
from .head import Stored
from .head_nodes import HeadNodes
from .recipe import Recipes, Terms
from .split import CannotPrepareError, split, subgraph

Tensor = npt.NDArray[Any]

# Weights start at multiples of this many bytes, as what cudaMalloc gives does.
_ALIGNMENT_BYTES = 256
_PIECE_BYTES = 8 * 2**20
# Channels-last, the graph runs without ONNX Runtime's optimizations: from this share of weights on it is worth it.
_CONVOLUTIONAL = 0.5
KINDS: dict[int, np.dtype[Any]] = {TensorProto.FLOAT: np.dtype(np.float32), TensorProto.FLOAT16: np.dtype(np.float16)}


@dataclass(frozen=True, slots=True)
class Part:
    """A tensor in the buffer, `start` bytes from its first; of an ONNX element type."""

    name: str
    kind: int
    shape: tuple[int, ...]
    start: int


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """What a device runs instead of the whole graph.

    head:       model alpha -> `made`; the values of its initializers that are in no file are `endpoints`.
    made:       the head's outputs: all that alpha moves.
    body:       model image, `weights` -> output.
    weights:    the body's inputs but for the image.
    fixed:      values of those weights that alpha does not move.
    """

    head: onnx.ModelProto
    endpoints: Mapping[str, Tensor]
    made: tuple[Part, ...]
    body: onnx.ModelProto
    weights: tuple[Part, ...]
    fixed: Mapping[str, Tensor]
    total_bytes: int


def plan_device(slim: onnx.ModelProto, folder: Path, *, nhwc: bool) -> DevicePlan:
    """Plan for the alpha-input model `slim`, whose external data lies in `folder`.

    `nhwc`: convolutions are com.microsoft.NhwcConv, with weights that have to be constants for ONNX Runtime.
    Raises CannotPrepareError where it cannot be done.
    """
    halves = split(slim, rearrange_in_head=True)
    shapes, graph = halves.shapes(), halves.model.graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    moving = {}
    for name in halves.weights:
        if name not in shapes or kinds.get(name) not in KINDS:
            raise CannotPrepareError(f"the shape or type of {name} is not fixed, or no float")
        moving[name] = helper.make_tensor_value_info(name, kinds[name], shapes[name])
    stored = {t.name: t for t in graph.initializer if nhwc and t.external_data and t.data_type in KINDS}
    image = [value for value in graph.input if value.name != "alpha"]
    body = subgraph(halves.model, halves.body, [*image, *moving.values()], graph.output)
    constants = [tensor for tensor in body.graph.initializer if tensor.name not in stored]
    fixed = {t.name: read_tensor(t, folder) for t in body.graph.initializer if t.name in stored}
    del body.graph.initializer[:]
    body.graph.initializer.extend(constants)
    body.graph.input.extend(helper.make_tensor_value_info(n, stored[n].data_type, stored[n].dims) for n in fixed)
    body, factors = fold_scales(body)
    moved: frozenset[str] = frozenset()
    if nhwc:
        if channels_last_share(body) < _CONVOLUTIONAL:
            raise CannotPrepareError("most weights are not of convolutions")
        body, moved = channels_last(body)
    recipes, nodes = Recipes(halves), HeadNodes()
    stored_values = Stored(halves, folder, half=True)
    batches = Batches(halves, recipes, stored_values, nodes)
    builder = _Builder(shapes, recipes, stored_values, factors, moved, nodes, batches)
    for name, value in moving.items():
        builder.add(name, value.type.tensor_type.elem_type)
    builder.finish()
    for name, values in fixed.items():
        builder.add_fixed(name, values, stored[name].data_type)
    alpha = [value for value in graph.input if value.name == "alpha"]
    outputs = [helper.make_tensor_value_info(part.name, part.kind, part.shape) for part in builder.made]
    head = subgraph(halves.model, [*halves.head, *nodes.nodes], alpha, outputs)
    used = {name for node in head.graph.node for name in node.input}
    head.graph.initializer.extend(tensor for tensor in nodes.initializers if tensor.name in used)
    given = {name: values for name, values in nodes.given.items() if name in used}
    return DevicePlan(head, given, tuple(builder.made), body, tuple(builder.weights), builder.fixed, builder.end)


@dataclass(slots=True)
class _Builder:
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
            parts.append(Part(name, kind, shape, self._take(_size(shape) * dtype.itemsize)))
        rows = [np.zeros((self.end - first) // dtype.itemsize, dtype) for _ in shares]
        for part, (name, terms) in zip(parts, blends, strict=True):
            start = (part.start - first) // dtype.itemsize
            for row, (constant, _) in zip(rows, terms, strict=True):
                values = self._scaled(name, self.stored[constant]).reshape(self.shapes[name])
                row[start : start + _size(part.shape)] = self._arranged(name, values).ravel()
        self.weights += parts
        step = _PIECE_BYTES // dtype.itemsize
        for start in range(0, len(rows[0]), step):
            piece = f"{label}@{start}"
            pieces = [row[start : start + step] for row in rows]
            self.head.blend(piece, pieces, shares)
            self.made.append(Part(piece, kind, (len(pieces[0]),), first + start * dtype.itemsize))

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
                numbers = np.arange(_size(shape)).reshape((1,) * (4 - len(shape)) + shape)
                return (numbers.transpose(0, 2, 3, 1) if next(moved) else numbers).ravel()

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
            value = self.head.op("Transpose", [wide], f"{name}@dni@moved", perm=[0, 2, 3, 1])
        shape = self._shape(name)
        start = self._take(_size(shape) * KINDS[kind].itemsize)
        self.made.append(Part(value, kind, shape, start))
        self.weights.append(Part(name, kind, shape, start))

    def _shape(self, name: str) -> tuple[int, ...]:
        """The shape that the body wants of a weight."""
        shape = self.shapes[name]
        return _channels_last_shape(shape) if name in self.moved else shape

    def _arranged(self, name: str, values: Tensor) -> Tensor:
        if name not in self.moved:
            return values
        four = values.reshape((1,) * (4 - values.ndim) + values.shape)
        return np.ascontiguousarray(four.transpose(0, 2, 3, 1))

    def _take(self, size_bytes: int) -> int:
        start = self.end
        self.end += -(-size_bytes // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
        return start


def _channels_last_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    n, c, h, w = (1,) * (4 - len(shape)) + shape
    return n, h, w, c


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape))
