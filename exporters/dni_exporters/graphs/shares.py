"""Every endpoint's share of the blend, computed from alpha by a few nodes of one number each."""

import itertools
from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np
import onnx_ir as ir

from dni_runtime.shares import Path

from .nodes import FLOAT, Nodes

_ONE = ir.Shape([1])
# Of the part of a piece that alpha is from its end.
_ENDS = {"least": 0, "most": 1}


class Shares:
    """Every endpoint's share as a value in the graph, made once per dtype and rank.

    path:      the way along which alpha leads; where there is none, alpha holds the shares of all but the last.
    with_last: whether the last endpoint has one, too, or stands for what the others are blended into.
    """

    def __init__(
        self, nodes: Nodes, alpha: ir.Value, endpoint_count: int, path: Path | None, *, with_last: bool = True
    ) -> None:
        self._nodes = nodes
        # Of several alphas each has shares of its own.
        made = _given(nodes, alpha, endpoint_count, with_last) if path is None else _along(nodes, alpha, path)
        self._made = {(FLOAT, False): made if with_last else made[: endpoint_count - 1]}

    def of(self, dtype: ir.DataType, rank: int) -> list[ir.Value]:
        """The shares for weights of `dtype`: shape [1], which broadcasts; rank 0 for weights of rank 0."""
        if (dtype, False) not in self._made:
            self._made[dtype, False] = [
                self._nodes.cast(share, f"{share.name}_{dtype.name}", dtype) for share in self._made[FLOAT, False]
            ]
        if rank == 0 and (dtype, True) not in self._made:
            self._made[dtype, True] = [
                self._nodes.add("Squeeze", [share], f"{share.name}_scalar", dtype, ir.Shape([]))
                for share in self._made[dtype, False]
            ]
        return self._made[dtype, rank == 0]


def _given(nodes: Nodes, alpha: ir.Value, endpoint_count: int, with_last: bool) -> list[ir.Value]:
    """alpha, number by number, and what is left of 1."""
    given, rest = [alpha], alpha
    if endpoint_count > 2:
        given = []
        for number, letter in zip(range(endpoint_count - 1), ascii_uppercase, strict=False):
            index = nodes.constant(f"{alpha.name}@index_{letter}", ir.tensor([number], dtype=ir.DataType.INT64))
            given.append(nodes.add("Gather", [alpha, index], f"{alpha.name}@share_{letter}", FLOAT, _ONE))
    if not with_last:
        return given
    if endpoint_count > 2:
        rest = nodes.add("ReduceSum", [alpha], f"{alpha.name}@sum", FLOAT, _ONE, {"keepdims": 1})
    one = _number(nodes, f"{alpha.name}@one", 1)
    return [*given, nodes.add("Sub", [one, rest], f"{alpha.name}@share_last", FLOAT, _ONE)]


def _along(nodes: Nodes, alpha: ir.Value, path: Path) -> list[ir.Value]:
    """`Path.shares`, exactly 0 and 1 at its knots.

    Nothing is multiplied with a constant: a runtime that lays weights out would take the product for a weight. All
    operators are those that browsers have on WebGPU, too: Clip, and neither Min nor Max nor Sum.
    """
    one = _number(nodes, f"{alpha.name}@one", 1)
    ends = [nodes.constant(f"{alpha.name}@{name}", ir.tensor(np.array(end, np.float32))) for name, end in _ENDS.items()]
    shares: list[ir.Value] = []
    for number, (upper, lower) in enumerate(itertools.pairwise(np.array(path.knots, np.float32))):
        piece = _Piece(nodes, alpha.name or "", number + 1)
        t, span = alpha, _span(upper, lower)
        if lower != 0:
            t = piece.add("Sub", "beyond", t, _number(nodes, f"{alpha.name}@lower_{number + 1}", float(lower)))
        if span != 1:
            t = piece.add("Div", "part", t, _number(nodes, f"{alpha.name}@span_{number + 1}", float(span)))
        t = piece.add("Clip", "t", t, *ends)
        first, *others = piece.bernstein(t, piece.add("Sub", "rest", one, t), 1 + path.middles[number])
        # Before and behind a piece one of its ends has a share of 1 in it, so a knot's two shares can be multiplied.
        shares = [*shares[:-1], piece.add("Mul", "both", shares[-1], first) if shares else first, *others]
    return shares


@dataclass(frozen=True, slots=True)
class _Piece:
    nodes: Nodes
    alpha: str
    number: int

    def add(self, op_type: str, name: str, *inputs: ir.Value) -> ir.Value:
        return self.nodes.add(op_type, inputs, f"{self.alpha}@{name}_{self.number}", FLOAT, _ONE)

    def bernstein(self, t: ir.Value, rest: ir.Value, degree: int) -> list[ir.Value]:
        """The polynomials of `degree` 1 to 3 in t, that of t ** degree first."""
        if degree == 1:
            return [t, rest]
        tt, rr = self.add("Mul", "t2", t, t), self.add("Mul", "rest2", rest, rest)
        if degree == 2:
            mixed = self.add("Mul", "t_rest", t, rest)
            return [tt, self.add("Add", "2_t_rest", mixed, mixed), rr]
        nearer, farther = self.add("Mul", "t2_rest", tt, rest), self.add("Mul", "t_rest2", t, rr)
        return [
            self.add("Mul", "t3", tt, t),
            self.add("Add", "3_t2_rest", nearer, self.add("Add", "2_t2_rest", nearer, nearer)),
            self.add("Add", "3_t_rest2", farther, self.add("Add", "2_t_rest2", farther, farther)),
            self.add("Mul", "rest3", rr, rest),
        ]


def _span(upper: np.float32, lower: np.float32) -> np.float32:
    """What to divide (alpha - lower) by, for 1 or a little more where alpha is `upper`.

    Also by a runtime that multiplies with the rounded inverse, as OpenVINO does: hence perhaps one step smaller.
    """
    whole = span = upper - lower
    while abs(whole / span) < 1 or abs(whole * (np.float32(1) / span)) < 1:
        span = np.nextafter(span, np.float32(0))
    return span


def _number(nodes: Nodes, name: str, value: float) -> ir.Value:
    return nodes.constant(name, ir.tensor([value], dtype=FLOAT))
