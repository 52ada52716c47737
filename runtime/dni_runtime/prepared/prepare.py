"""Make of an alpha-input model what the CPU needs to run it at a baked model's speed, whatever alpha does.

All weights that move with alpha lie in one flat array, in ONNX Runtime's own layout, so that blending them is one
product of the shares and the stored endpoints. The optimized graph takes slices of that array as inputs.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from dni_runtime.weights.fold import fold_channels
from dni_runtime.weights.head import Picked, build_head
from dni_runtime.weights.recipe import Recipe, Recipes
from dni_runtime.weights.selections import selections
from dni_runtime.weights.split import Split, split
from dni_runtime.weights.stored import Stored

from .flat_weights import Group, Prepared, Scaling, Slice, aligned
from .layout import Layout, Placement, learn_layout
from .one_graph import with_product

# Operators that arrange a constant weight for themselves when a session starts, with a gain worth a second session.
# ConvTranspose does too: a U-Net at 64 x 64 is 3 % slower without, and takes 40 % more memory with.
_PACKED = frozenset({"Attention", "FusedGemm", "FusedMatMul", "GRU", "Gemm", "LSTM", "MatMul"})

# Elements that are picked again and again take as much room as all that is stored, these few always.
_REPEATED_LEAST = 2**19

# A factor is repeated up to so many elements, for NumPy's loops to be long.
_FACTOR_LIMIT = 1024


def prepare(slim: onnx.ModelProto, folder: Path) -> Prepared:
    """Prepare an alpha-input model for the CPU of this machine and this version of ONNX Runtime.

    `slim`: the model; `folder`: where its external data lies. Raises CannotPrepareError where it cannot be done.
    """
    halves = split(fold_channels(slim))
    layout = learn_layout(halves, folder)
    return replace(arrange(halves, layout, folder), body=with_product(layout.body).SerializeToString())


def arrange(halves: Split, layout: Layout, folder: Path) -> Prepared:
    """A model's weights in a layout that is known. Raises CannotPrepareError where they are stored in no known way."""
    return _Builder(halves, halves.shapes(), layout, Recipes(halves), Stored(halves, folder)).build()


@dataclass(slots=True)
class _Builder:
    halves: Split
    shapes: Mapping[str, tuple[int, ...]]
    layout: Layout
    recipes: Recipes
    stored: Stored
    slices: list[Slice] = field(default_factory=list)
    scalings: list[Scaling] = field(default_factory=list)
    factors: Picked = field(default_factory=Picked)
    others: Picked = field(default_factory=Picked)

    def build(self) -> Prepared:
        moving = set(self.halves.weights)
        blends: list[tuple[Placement, Recipe]] = []
        others: list[Placement] = []
        constants: list[Placement] = []
        picked = selections(self.halves, self.stored, self.halves.weights)
        room = max(self.stored.count, _REPEATED_LEAST)
        for placement in self.layout.placements:
            if placement.weight not in moving:
                constants.append(placement)
                continue
            repeats = False
            if selection := picked.get(placement.weight):
                placement = _of_source(placement, *selection)
                repeats = len(selection[1]) > math.prod(self.shapes[placement.weight])
            recipe = self.recipes.of(placement.weight)
            if repeats:
                # Read with every change of alpha, or gathered by an index that takes as much: the first is faster.
                room -= len(placement.index) * len(recipe.terms)
            if recipe.terms and not placement.fill and room >= 0:
                blends.append((placement, recipe))
            else:
                others.append(placement)
        shares = list(dict.fromkeys(share for _, recipe in blends for _, share in recipe.terms))
        alike: dict[tuple[str, ...], list[tuple[Placement, Recipe]]] = {}
        for placement, recipe in blends:
            alike.setdefault(tuple(dict.fromkeys(share for _, share in recipe.terms)), []).append((placement, recipe))
        groups = tuple(
            Group(sum(aligned(len(p.index)) for p, _ in members), tuple(map(shares.index, own)))
            for own, members in alike.items()
        )
        endpoints = self.stored.room(sum(len(group.shares) * group.count for group in groups))
        end = first = 0
        for group, (own, members) in zip(groups, alike.items(), strict=True):
            block = endpoints[first : first + len(own) * group.count].reshape(len(own), -1)
            before, first = end, first + block.size
            for placement, recipe in members:
                start, end = self._slice(placement, end)
                place = slice(start - before, start - before + len(placement.index))
                for name, share in recipe.terms:
                    block[own.index(share), place] += _take(self.stored[name], placement)
                if recipe.factor is not None:
                    self._scale(placement, recipe.factor, recipe.divides, start)
        for placement in others:
            start, end = self._slice(placement, end)
            padding = np.full(aligned(len(placement.index)) - len(placement.index), -1)
            index = np.concatenate([placement.index, padding])
            self.others.add(placement.weight, index, placement.scale, placement.fill)
        fixed = np.zeros(sum(aligned(len(p.index)) for p in constants), np.float32)
        fixed_end = 0
        for placement in constants:
            start, fixed_end = self._slice(placement, fixed_end, fixed=True)
            fixed[start : start + len(placement.index)] = _take(self.stored[placement.weight], placement)
        head = build_head(self.halves, self.recipes, self.stored, shares, self.others, self.factors)
        return Prepared(
            head=head.SerializeToString(),
            body=self.layout.body.SerializeToString(),
            endpoints=endpoints,
            fixed=fixed,
            total=end,
            packed=self._packed(),
            slices=tuple(self.slices),
            scalings=tuple(self.scalings),
            groups=groups,
        )

    def _packed(self) -> bool:
        moving = {s.name for s in self.slices if not s.fixed}
        return any(
            node.op_type in _PACKED and not moving.isdisjoint(node.input) for node in self.layout.body.graph.node
        )

    def _slice(self, placement: Placement, start: int, *, fixed: bool = False) -> tuple[int, int]:
        self.slices.append(Slice(placement.name, placement.shape, start, fixed))
        return start, start + aligned(len(placement.index))

    def _scale(self, placement: Placement, factor: str, divides: bool, start: int) -> None:
        shapes = self.shapes
        size = math.prod(shapes[factor])
        spread = np.broadcast_to(np.arange(size).reshape(shapes[factor]), shapes[placement.weight]).ravel()
        wanted = np.where(placement.index < 0, -1, spread[placement.index])
        outer, inner, index = _compress(wanted)
        factor_start = self.factors.add(self.recipes.root(factor), np.maximum(index, 0))
        middle = len(wanted) // (outer * inner)
        repeats = max(n for n in range(1, max(2, _FACTOR_LIMIT // inner + 1)) if middle % n == 0)
        self.scalings.append(Scaling(start, len(wanted), outer, inner, repeats, factor_start, divides))


def _of_source(placement: Placement, source: str, selection: npt.NDArray[np.int64]) -> Placement:
    """The placement of a weight as one of the value that the weight is picked from."""
    index = np.where(placement.index < 0, -1, selection[placement.index])
    return replace(placement, weight=source, index=index)


def _take(values: npt.NDArray[np.float32], placement: Placement) -> npt.NDArray[np.float32]:
    taken = values.ravel()[placement.index]
    if placement.scale != 1:
        taken *= placement.scale
    taken[placement.index < 0] = placement.fill
    return taken


def _compress(wanted: npt.NDArray[np.int64]) -> tuple[int, int, npt.NDArray[np.int64]]:
    """A short (outer, inner, index) with wanted == index[outer, :, inner] for all positions between them.

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
