"""One 3 x 3 convolution in ONNX Runtime's operators, as Winograd has it, for tiles of 4 x 4 pixels.

A tile is made of 6 x 6 pixels of the image, y = A^T [(G w G^T) * (B^T x B)] A (Lavin and Gray, arXiv 1509.09308), and
the products of all tiles are 36 products of matrices: a quarter of the multiplications. In ONNX Runtime's layout of
channel blocks these are one pointwise convolution of 36 groups; what comes before and behind it are pointwise ones
over the 36 values, and tiles are gathered from the image and put back by blocks.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from .layout import BLOCKED
from .operators import Constants, Operators, graph
from .tiling import SPAN, TAPS, TILE, Tiling, places, spans, starts, tiling

MICROSOFT = "com.microsoft"
# Where polynomials are evaluated, beside infinity: the error is a quarter of that with 0, 1, -1, 2, -2.
_POINTS = (0.0, 0.5**0.5, -(0.5**0.5), 2.0**0.5, -(2.0**0.5))
# For less, some eighty small operators and the transformed weights cost more than there is to gain: measured.
_LEAST_PRODUCTS, _LEAST_TILES = 500_000_000, 64

FloatArray = npt.NDArray[np.float64]


def matrices() -> tuple[FloatArray, FloatArray, FloatArray]:
    """A^T (4 x 6), G (6 x 3) and B^T (6 x 6): Toom's and Cook's product of polynomials, transposed."""

    def powers(count: int) -> FloatArray:
        values = np.zeros((SPAN, count))
        values[:-1] = np.array(_POINTS)[:, None] ** np.arange(count)
        values[-1, -1] = 1  # at infinity
        return values

    b = np.linalg.inv(powers(SPAN)).T
    b[np.abs(b) < 1e-9] = 0
    scale = 2.0 ** np.round(np.log2(np.abs(b).max(axis=1, keepdims=True)))
    return powers(TILE).T, powers(TAPS) * scale, b / scale


_AT, _G, _BT = matrices()


class Convolution:
    """What takes the place of `node`, whose weights have shape (out_channels, in_channels, 3, 3).

    `block`: channels in a block. `prefix`: what names of values begin with. `small`: whether for small images, too.
    """

    def __init__(
        self,
        node: onnx.NodeProto,
        sides: tuple[int, int],
        block: int,
        prefix: str,
        constants: Constants,
        *,
        small: bool,
    ) -> None:
        self._node, (self._out, self._in), self._block, self._small = node, sides, block, small
        self._ops = Operators(prefix, constants)
        self._given = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        self._pads = self._given.get("pads") or [0] * 4

    def nodes(self) -> list[onnx.NodeProto]:
        """The result is made one way or the other, as the image is large or small."""
        ops, x = self._ops, self._node.input[0]
        top, left, bottom, right = self._pads
        size = ops.plus(
            ops.add("Shape", [x], start=2, end=4), ops.ints(top + bottom - TAPS + 1, left + right - TAPS + 1)
        )
        tiles = ops.divided(size, TILE, up=True)
        products = self._out * self._in * TAPS**2 * TILE**2
        least = 0 if self._small else max(_LEAST_TILES, _LEAST_PRODUCTS // products)
        large = ops.add("GreaterOrEqual", [ops.add("ReduceProd", [tiles], keepdims=1), ops.ints(least)])
        outer = ops.take()
        made = self._tiled(size, tiles)
        plain = onnx.NodeProto()
        plain.CopyFrom(self._node)
        plain.output[0] = ops.name()
        branches = graph("tiled", ops.take(outer), made), graph("direct", [plain], plain.output[0])
        made = ops.add("If", [large], then_branch=branches[0], else_branch=branches[1])
        # Out here it is a view; at the end of a branch it would be a copy.
        shape = ops.add("Concat", [ops.add("Shape", [x], start=0, end=1), ops.ints(self._out), size], axis=0)
        ops.nodes.append(helper.make_node("Reshape", [made, shape], self._node.output))
        return ops.nodes

    def _tiled(self, size: str, tiles: str) -> str:
        ops, block = self._ops, self._block
        x = self._padded(self._node.input[0])
        cut = tiling(ops, x, size, tiles, max(self._in, self._out))
        strip = self._strip(cut, ops.reshaped(x, -1, block), spans(ops, cut, self._in // block))
        # (strips, N, 16, blocks * rows * columns * channels)
        made = ops.add("Scan", [starts(ops, cut)], body=strip, num_scan_inputs=1)
        return ops.add("Gather", [ops.reshaped(made, -1, block), places(ops, cut, self._out // block)], axis=0)

    def _padded(self, x: str) -> str:
        if not any(self._pads):
            return x
        ops, (top, left, bottom, right) = self._ops, self._pads
        blocks = ops.reshaped(x, 0, self._in // self._block, 0, 0, self._block)
        padded = ops.add("Pad", [blocks, ops.ints(0, 0, top, left, 0, 0, 0, bottom, right, 0)])
        return ops.reshaped(padded, 0, self._in, 0, 0)

    def _strip(self, cut: Tiling, lines: str, spans_of_first: str) -> onnx.GraphProto:
        """One strip of the image, by the place where it starts, to its tiles."""
        ops = self._ops
        weights = [self._weights(), *self._bias()]
        outer = ops.take()
        start = ops.name()
        image = ops.add("Gather", [lines, ops.plus(spans_of_first, start)], axis=0)
        spread = self._pointwise("Conv", image, np.kron(_BT, _BT))
        shape = ops.add("Concat", [ops.ints(0, SPAN**2 * self._in), cut.rows, cut.columns], axis=0)
        spread = ops.add("Reshape", [spread, shape])
        form = {"kernel_shape": [1, 1], "strides": [1, 1], "dilations": [1, 1], "pads": [0] * 4, "group": SPAN**2}
        products = ops.add("Conv", [spread, *weights], domain=BLOCKED, **form)
        kept = {name: self._given[name] for name in ("activation", "activation_params") if name in self._given}
        made = self._pointwise("FusedConv", products, np.kron(_AT, _AT), domain=MICROSOFT, **kept)
        return graph("strip", ops.take(outer), made, start)

    def _pointwise(self, operator: str, values: str, matrix: npt.NDArray[Any], **attributes: Any) -> str:
        """A matrix applied to the 36 values of each tile."""
        values = self._ops.reshaped(values, 0, SPAN**2, -1)
        return self._ops.add(operator, [values, self._ops.floats(matrix[..., None])], kernel_shape=[1], **attributes)

    def _weights(self) -> str:
        """G w G^T, for each of the 36 values a block of channels after the other."""
        ops, area = self._ops, self._block**2
        taps = ops.reshaped(self._node.input[1], self._in * self._out // area, TAPS**2, area)
        taps = ops.reshaped(ops.add("Transpose", [taps], perm=[1, 0, 2]), 1, TAPS**2, -1)
        made = ops.add("Conv", [taps, ops.floats(np.kron(_G, _G)[..., None])], kernel_shape=[1])
        return ops.reshaped(made, SPAN**2 * self._out, self._in, 1, 1)

    def _bias(self) -> list[str]:
        """Of the 36 values, so that each pixel of the tile gets its bias."""
        if not any(self._node.input[2:]):
            return []
        one = np.linalg.pinv(_AT).sum(axis=1)
        made = self._ops.add("Mul", [self._node.input[2], self._ops.floats(np.outer(one, one).reshape(-1, 1))])
        return [self._ops.reshaped(made, -1)]
