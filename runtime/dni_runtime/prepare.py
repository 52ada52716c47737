"""Make of an alpha-input model what the CPU needs to run it at a baked model's speed, whatever alpha does.

All weights that move with alpha lie in one flat array, in ONNX Runtime's own layout, so that blending them is one
product of the shares and the stored endpoints. The optimized graph takes slices of that array as inputs.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from .layout import Layout, Placement, learn_layout
from .recipe import Recipe, Recipes
from .split import CannotPrepareError, Split, split, subgraph

# Slices of the flat array start at multiples of this many elements: 64 bytes, a cache line.
_ALIGNMENT = 16
_FLOAT = onnx.TensorProto.FLOAT

# Operators that arrange a constant weight for themselves when a session starts.
_PACKED = frozenset({"Attention", "ConvTranspose", "FusedGemm", "FusedMatMul", "GRU", "Gemm", "LSTM", "MatMul"})

# Names in the head that no network uses.
ENDPOINTS, WEIGHTS, OUTPUT = "dni@endpoints", "dni@weights", "dni@output@"


@dataclass(frozen=True, slots=True)
class Slice:
    """An input of the body: `shape` elements of the flat array (`fixed`: of the fixed weights) from `start` on."""

    name: str
    shape: tuple[int, ...]
    start: int
    fixed: bool


@dataclass(frozen=True, slots=True)
class Scaling:
    """`count` elements of the flat array from `start` on are to be multiplied by a factor, or divided.

    Seen as (outer, count / outer / inner, inner), element (i, j, k) goes with element `index[i * inner + k]` of
    the head's output `factor`.
    """

    start: int
    count: int
    outer: int
    inner: int
    factor: str
    divides: bool
    index_start: int


@dataclass(frozen=True, slots=True)
class Gathering:
    """Element i of the flat array from `start` on is `scale` times element `index[i]` of the head's output
    `source`, 0 where that is -1: for weights that are no blend."""

    start: int
    count: int
    source: str
    scale: float
    index_start: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model in ONNX Runtime's layout.

    head:       ONNX model: alpha and ENDPOINTS -> WEIGHTS [1, blended], and OUTPUT + name of further values.
    body:       ONNX model: image and slices -> output; already optimized.
    endpoints:  float32 (shares, blended), what the shares are multiplied with.
    fixed:      float32 (fixed,), weights that alpha does not move.
    index:      int32, of all scalings and gatherings.
    total:      elements of the flat array; the first `blended` of them are blends.
    packed:     whether ONNX Runtime would pack a weight that moves once more if it were constant, as it starts
                (MatMul, ConvTranspose): a pinned session is a little faster then.
    """

    head: bytes
    body: bytes
    endpoints: npt.NDArray[np.float32]
    fixed: npt.NDArray[np.float32]
    index: npt.NDArray[np.int32]
    total: int
    packed: bool
    slices: tuple[Slice, ...]
    scalings: tuple[Scaling, ...]
    gatherings: tuple[Gathering, ...]


def prepare(slim: onnx.ModelProto, folder: Path) -> Prepared:
    """Prepare an alpha-input model for the CPU of this machine and this version of ONNX Runtime.

    `slim`: the model; `folder`: where its external data lies. Raises CannotPrepareError where it cannot be done.
    """
    halves = split(slim)
    layout = learn_layout(halves, folder)
    builder = _Builder(halves, layout, folder)
    return builder.build()


@dataclass(slots=True)
class _Builder:
    halves: Split
    layout: Layout
    folder: Path
    slices: list[Slice] = field(default_factory=list)
    scalings: list[Scaling] = field(default_factory=list)
    gatherings: list[Gathering] = field(default_factory=list)
    index: list[npt.NDArray[np.int32]] = field(default_factory=list)
    index_size: int = 0

    def build(self) -> Prepared:
        recipes = Recipes(self.halves)
        moving = set(self.halves.weights)
        blends: list[tuple[Placement, Recipe]] = []
        others: list[Placement] = []
        constants: list[Placement] = []
        for placement in self.layout.placements:
            if placement.weight not in moving:
                constants.append(placement)
            elif (recipe := recipes.of(placement.weight)).terms:
                blends.append((placement, recipe))
            else:
                others.append(placement)
        shares = list(dict.fromkeys(share for _, recipe in blends for _, share in recipe.terms))
        blended = sum(_aligned(len(p.index)) for p, _ in blends)
        endpoints = np.zeros((len(shares), blended), np.float32)
        stored = _Stored(self.halves.model, self.folder)
        end = 0
        for placement, recipe in blends:
            start, end = self._slice(placement, end)
            for name, share in recipe.terms:
                endpoints[shares.index(share), start : start + len(placement.index)] += _take(stored[name], placement)
            if recipe.factor is not None:
                self._scale(placement, recipe.factor, recipe.divides, start)
        for placement in others:
            start, end = self._slice(placement, end)
            self.gatherings.append(
                Gathering(
                    start,
                    len(placement.index),
                    placement.weight,
                    float(placement.scale),
                    self._keep(placement.index),
                )
            )
        fixed = np.zeros(sum(_aligned(len(p.index)) for p in constants), np.float32)
        fixed_end = 0
        for placement in constants:
            start, fixed_end = self._slice(placement, fixed_end, fixed=True)
            fixed[start : start + len(placement.index)] = _take(stored[placement.weight], placement)
        return Prepared(
            head=self._head(shares).SerializeToString(),
            body=self.layout.body.SerializeToString(),
            endpoints=endpoints,
            fixed=fixed,
            index=np.concatenate([np.empty(0, np.int32), *self.index]),
            total=end,
            packed=self._packed(),
            slices=tuple(self.slices),
            scalings=tuple(self.scalings),
            gatherings=tuple(self.gatherings),
        )

    def _packed(self) -> bool:
        moving = {s.name for s in self.slices if not s.fixed}
        return any(
            node.op_type in _PACKED and not moving.isdisjoint(node.input) for node in self.layout.body.graph.node
        )

    def _slice(self, placement: Placement, start: int, *, fixed: bool = False) -> tuple[int, int]:
        self.slices.append(Slice(placement.name, placement.shape, start, fixed))
        return start, start + _aligned(len(placement.index))

    def _scale(self, placement: Placement, factor: str, divides: bool, start: int) -> None:
        shapes = self.halves.shapes()
        size = int(np.prod(shapes[factor]))
        spread = np.broadcast_to(np.arange(size).reshape(shapes[factor]), shapes[placement.weight]).ravel()
        wanted = np.where(placement.index < 0, -1, spread[placement.index])
        outer, inner, index = _compress(wanted)
        self.scalings.append(
            Scaling(start, len(wanted), outer, inner, factor, divides, self._keep(np.maximum(index, 0)))
        )

    def _keep(self, index: npt.NDArray[np.int64]) -> int:
        start = self.index_size
        self.index.append(index.astype(np.int32))
        self.index_size += len(index)
        return start

    def _head(self, shares: list[str]) -> onnx.ModelProto:
        model = self.halves.model
        values = list(dict.fromkeys([*(s.factor for s in self.scalings), *(g.source for g in self.gatherings)]))
        alpha = [value for value in model.graph.input if value.name == "alpha"]
        wanted = [helper.make_tensor_value_info(name, _FLOAT, None) for name in [*values, *shares]]
        head = subgraph(model, self.halves.head, alpha, wanted)
        graph = head.graph
        del graph.output[:]
        for tensor in graph.initializer:
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                onnx.external_data_helper.load_external_data_for_tensor(tensor, str(self.folder))
                tensor.data_location = onnx.TensorProto.DEFAULT
        for name in values:  # which may be a constant or alpha itself
            graph.node.append(helper.make_node("Identity", [name], [f"{OUTPUT}{name}"]))
            graph.output.append(helper.make_tensor_value_info(f"{OUTPUT}{name}", _FLOAT, None))
        if shares:
            graph.input.append(helper.make_tensor_value_info(ENDPOINTS, _FLOAT, [len(shares), None]))
            graph.output.append(helper.make_tensor_value_info(WEIGHTS, _FLOAT, [1, None]))
            graph.initializer.append(helper.make_tensor("dni@column", onnx.TensorProto.INT64, [2], [1, 1]))
            columns = [f"dni@column_{number}" for number in range(len(shares))]
            for share, column in zip(shares, columns, strict=True):
                graph.node.append(helper.make_node("Reshape", [share, "dni@column"], [column]))
            graph.node.append(helper.make_node("Concat", columns, ["dni@row"], axis=1))
            graph.node.append(helper.make_node("MatMul", ["dni@row", ENDPOINTS], [WEIGHTS]))
        return head


class _Stored:
    """The model's constants by name, read when asked for."""

    def __init__(self, model: onnx.ModelProto, folder: Path) -> None:
        self._tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        self._folder = str(folder)

    def __getitem__(self, name: str) -> npt.NDArray[np.float32]:
        values = onnx.numpy_helper.to_array(self._tensors[name], self._folder)
        if values.dtype != np.float32:
            raise CannotPrepareError(f"weights are stored as {values.dtype}")
        return values


def _take(values: npt.NDArray[np.float32], placement: Placement) -> npt.NDArray[np.float32]:
    taken = values.ravel()[placement.index]
    taken[placement.index < 0] = 0.0
    if placement.scale != 1:
        taken *= placement.scale
    return taken


def _compress(wanted: npt.NDArray[np.int64]) -> tuple[int, int, npt.NDArray[np.int64]]:
    """The smallest (outer, inner, index) with wanted == index[outer, :, inner] for all positions between them.

    A factor belongs to an output channel, and these lie in blocks: 16 next to each other, the same 16 for all
    input channels and pixels of the kernel, then the next 16.
    """
    best = (len(wanted), 1, wanted)
    for inner in (1, 4, 8, 16, 32):
        if len(wanted) % inner:
            continue
        rows = wanted.reshape(-1, inner)
        changes = np.flatnonzero((rows[1:] != rows[:-1]).any(axis=1)) + 1
        middle = int(np.gcd.reduce([*changes, len(rows)]))
        outer = len(rows) // middle
        if outer * inner < best[0] * best[1]:
            best = (outer, inner, rows[::middle].ravel())
    return best


def _aligned(count: int) -> int:
    return -(-count // _ALIGNMENT) * _ALIGNMENT
