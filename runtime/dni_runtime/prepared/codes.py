"""Numbers that stand for the elements of weights, and cannot be taken for anything else.

A weight's elements are codes: floats that rise with an irregular step, another one for every weight. However such a
weight is rearranged, filled up or multiplied by one number, what comes of it tells which weight it was, where every
element went, and that number. A sum or a product of two weights, or of a weight and numbers of the graph, tells
nothing, and is never taken for a weight: all of its steps would have to be those of one.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Codes are whole numbers below this one, as many for each of 64 octaves.
_COUNT = 2**26
# A code and the bits of its float32: eight floats lie from one to the next, so that roundings of a scale do not show.
# Its own is the fourth: none is a power of two, or short in any other way, as numbers of a graph are.
_ONE, _SPACING, _MIDDLE = 0x3F800000, 3, 4
# Two codes for each element at least, or there would be no irregular step.
LIMIT = _COUNT // 2
# How far the quotient of a scaled weight's largest and smallest element may be off.
_ROUNDING = 1e-6

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Coded:
    """A weight of up to LIMIT elements, whose `values`, float32 of its shape, are codes."""

    name: str
    values: FloatArray

    @classmethod
    def make(cls, name: str, shape: tuple[int, ...], random: np.random.Generator) -> "Coded":
        size = math.prod(shape)
        step = _COUNT // size
        codes = random.integers(0, step, size, dtype=np.int32)
        codes += np.arange(0, step * size, step, dtype=np.int32)
        return cls(name, ((codes << _SPACING) + (_ONE + _MIDDLE)).view(np.float32).reshape(shape))

    @property
    def spread(self) -> float:
        """The quotient of the largest and the smallest element."""
        flat = self.values.ravel()
        return float(flat[-1]) / float(flat[0])


@dataclass(frozen=True, slots=True)
class Found:
    """Values are `scale` times element `index[i]` of `weight`, and `fill` where that is -1."""

    weight: str
    index: IntArray
    scale: np.float32
    fill: float


class Key:
    """Recognises weights that hold codes."""

    def __init__(self, weights: Iterable[Coded]) -> None:
        by_size: dict[int, list[Coded]] = {}
        for weight in weights:
            by_size.setdefault(weight.values.size, []).append(weight)
        self._by_size = {size: (np.array([w.spread for w in found]), found) for size, found in by_size.items()}

    def find(self, values: npt.NDArray[np.float32]) -> Found | None:
        """The weight that has all of its elements in `values`, each once, beside zeros, or ones, that fill up."""
        flat = values.ravel()
        filled = flat != 0
        for fill in (0.0, 1.0):
            if fill and not (filled.all() and (flat == fill).any()):
                break
            places = np.flatnonzero(filled if not fill else flat != fill)
            decoded = [(weight, _decode(flat[places], weight)) for weight in self._alike(flat[places])]
            matches = [(weight, *found) for weight, found in decoded if found is not None]
            if len(matches) == 1:  # numbers alone may be the same
                ((weight, index, scale),) = matches
                spread = np.full(flat.size, -1, np.int64)
                spread[places] = index
                return Found(weight.name, spread, scale, fill)
        return None

    def _alike(self, numbers: npt.NDArray[np.float32]) -> list[Coded]:
        """The weights of as many elements, whose largest is as many times their smallest."""
        spreads, weights = self._by_size.get(len(numbers), (np.empty(0), []))
        if not weights or not np.isfinite(numbers).all():
            return []
        low, high = sorted((float(numbers.min()), float(numbers.max())), key=abs)
        return [weights[i] for i in np.flatnonzero(np.abs(spreads * low / high - 1) < _ROUNDING)]


def _decode(numbers: npt.NDArray[np.float32], weight: Coded) -> tuple[IntArray, np.float32] | None:
    codes = weight.values.ravel()
    # Of the sums, whatever the order: roundings of single elements do not show in it.
    scale = float(numbers.sum(dtype=np.float64)) / float(codes.sum(dtype=np.float64))
    bits = (numbers / scale).astype(np.float32).view(np.int32) - _ONE
    if bits.min() < 0 or (codes.size == 1 and scale != 1):  # any number is one number, scaled
        return None
    code = bits >> _SPACING
    index = (code // (_COUNT // codes.size)).astype(np.int64)
    if index.max() >= codes.size or not np.array_equal(codes[index].view(np.int32) - _MIDDLE - _ONE, code << _SPACING):
        return None
    seen = np.zeros(codes.size, np.bool_)
    seen[index] = True
    return (index, np.float32(scale)) if seen.all() else None
