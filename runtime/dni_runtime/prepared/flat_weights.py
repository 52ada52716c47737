"""What a prepared model is made of: one flat array of weights, what fills it, and the graph that takes slices of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Slices of the flat array start at multiples of this many elements: 64 bytes, a cache line.
_ALIGNMENT = 16
# Of the graph, names that no network uses: the switch between blending and running, bool [1], and what comes of it.
BLENDING, RESULT = "dni@blending", "dni@result"


def flat_array(count: int) -> npt.NDArray[np.float32]:
    """A new array of `count` that begins where slices do, as wide as the widest vector registers are.

    A matrix product reads such weights faster, and OpenVINO uses them where they lie.
    """
    buffer = np.empty(count + _ALIGNMENT, np.float32)
    start = -buffer.ctypes.data % (4 * _ALIGNMENT) // 4
    return buffer[start : start + count]


@dataclass(frozen=True, slots=True)
class Slice:
    """An input of the body: `shape` elements of the flat array (`fixed`: of the fixed weights) from `start` on."""

    name: str
    shape: tuple[int, ...]
    start: int
    fixed: bool


@dataclass(frozen=True, slots=True)
class Group:
    """`count` elements of the flat array that are blended by the same `shares`, columns of SHARES.

    There is one group where all weights have one alpha, and one more for each knob.
    """

    count: int
    shares: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scaling:
    """`count` elements of the flat array from `start` on are to be multiplied by factors, or divided.

    Seen as (outer, count / outer / inner, inner), element (i, j, k) goes with element i * inner + k of the
    factors from `factor_start` on. `repeats`: how many times in a row it pays to repeat the inner ones.
    """

    start: int
    count: int
    outer: int
    inner: int
    repeats: int
    factor_start: int
    divides: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model in ONNX Runtime's layout.

    head:       ONNX model: alpha -> SHARES [1, shares], OTHERS [total - blended] and FACTORS, each there if it is not
                empty. The products of SHARES and `blocks`, and OTHERS, in this order, are the flat array once the
                scalings are done.
    body:       ONNX model: image and slices -> output; already optimized. It can also blend, see `with_product`.
    endpoints:  float32, what the shares are multiplied with: the blocks of all groups one after the other.
    fixed:      float32 (fixed,), weights that alpha does not move.
    total:      elements of the flat array.
    packed:     whether ONNX Runtime would pack a weight that moves once more if it were constant, as it starts
                (MatMul): a pinned session is up to 5 % faster then.
    """

    head: bytes
    body: bytes
    endpoints: npt.NDArray[np.float32]
    fixed: npt.NDArray[np.float32]
    total: int
    packed: bool
    slices: tuple[Slice, ...]
    scalings: tuple[Scaling, ...]
    groups: tuple[Group, ...]

    @property
    def blocks(self) -> list[npt.NDArray[np.float32]]:
        """Of each group, float32 (its shares, its count)."""
        sizes = [len(group.shares) * group.count for group in self.groups]
        parts = np.split(self.endpoints, np.cumsum(sizes)[:-1]) if sizes else []
        return [part.reshape(-1, group.count) for part, group in zip(parts, self.groups, strict=True)]

    @property
    def blended(self) -> int:
        """How many elements of the flat array are blends, its first ones."""
        return sum(group.count for group in self.groups)


def aligned(count: int) -> int:
    """How many elements of a flat array `count` take, so that the next ones start where they should."""
    return -(-count // _ALIGNMENT) * _ALIGNMENT


def require(condition: bool) -> None:
    """Raise ValueError unless the parts of a prepared model fit each other."""
    if not condition:
        raise ValueError("the plan does not fit")
