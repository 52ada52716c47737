"""Formulas of an image's sizes in whole numbers, as PyTorch's exporter records them."""

from contextlib import AbstractContextManager, suppress
from typing import Any

import sympy
import torch
from torch import nn
from torch.fx.experimental.symbolic_shapes import DimConstraints, ShapeEnv
from torch.utils._sympy.functions import FloatTrueDiv, FloorDiv, IntTrueDiv, Mod, PythonMod, ToFloat
from torch.utils._sympy.interp import sympy_interp
from torch.utils._sympy.reference import PythonReferenceAnalysis
from torch.utils._sympy.value_ranges import bound_sympy

from .replacing import replaced

_QUOTIENTS = (IntTrueDiv, FloatTrueDiv)
# The bits of a factor such as 1.5: what it is multiplied by stays exact in Python's own floats.
_SHORT = 2**20


def whole(value: torch.SymFloat) -> int | torch.SymInt | None:
    """`int(value)` of a product and quotient of sizes that are not negative, without floats; None of anything else.

    Windows are put together by `int(windows.shape[0] / (h * w / 8 / 8))`: as a quotient of whole numbers most of it
    cancels, and the number of images is left. PyTorch's own formula is one of float32 in ONNX, and grows with every
    window that a network has.
    """
    numerator, denominator = sympy.Integer(1), sympy.Integer(1)
    for factor, power in _factors(value.node.expr, 1):
        number = sympy.Rational(float(factor)) if factor.is_Float else factor
        if (factor.is_Float and max(abs(number.p), number.q) > _SHORT) or not _counts(number, value):
            return None
        over, under = number.as_numer_denom() if number.is_Rational else (number, sympy.Integer(1))
        numerator *= over**power if power > 0 else under**-power
        denominator *= under**power if power > 0 else over**-power
    return _size(FloorDiv(numerator, denominator), value)


def unsolved_conditions(_network: nn.Module) -> AbstractContextManager[None]:
    """Leave a condition on sizes alone that SymPy cannot solve: that half a size is even (Real-CUGAN's fast x2).

    PyTorch solves all of them so as to tell which sizes a trace holds for, and asks SymPy, which has no answer for
    halves of halves and raises. A graph contains none of them: sizes are probed before, and the file is run at others
    than the traced ones.
    """
    solve = DimConstraints.solve

    def solve_what_can_be(self: DimConstraints, *args: Any) -> None:
        with suppress(NotImplementedError):
            solve(self, *args)

    return replaced([(DimConstraints, "solve", solve_what_can_be)])


def paddings_round_up(_network: nn.Module) -> AbstractContextManager[None]:
    """Record how far a side is padded, `(8 - h % 8) % 8`, as what is missing to 8 * ceil(h / 8).

    Left as it is it gets into the formula of every size that comes after, where windows are cut out and put together,
    and tracing took two to three times as long.
    """
    remainder_of = torch.SymInt.__mod__

    def remainder(size: torch.SymInt, divisor: Any) -> Any:
        found = remainder_of(size, divisor)
        return _rounded_up(found) if isinstance(found, torch.SymInt) else found

    return replaced([(torch.SymInt, "__mod__", remainder)])


def _rounded_up(remainder: torch.SymInt) -> int | torch.SymInt:
    """`remainder`, which if it is `(k - x % k) % k`, or `-x % k`, is told as `k * ceil(x / k) - x`."""
    formula = remainder.node.expr
    if not isinstance(formula, Mod | PythonMod) or not formula.args[1].is_Integer:
        return remainder
    inner, k = formula.args
    side = -inner
    if isinstance(rest := k - inner, Mod | PythonMod) and rest.args[1] == k:
        side = rest.args[0]
    elif not side.is_Symbol:
        return remainder
    return _size(k * FloorDiv(side + k - 1, k) - side, remainder)


def _factors(formula: sympy.Expr, power: int) -> list[tuple[sympy.Expr, int]]:
    """Whose powers make `formula` ** `power`."""
    if isinstance(formula, _QUOTIENTS):
        return _factors(formula.args[0], power) + _factors(formula.args[1], -power)
    if isinstance(formula, ToFloat):
        return _factors(formula.args[0], power)
    if isinstance(formula, sympy.Mul):
        return [factor for argument in formula.args for factor in _factors(argument, power)]
    if isinstance(formula, sympy.Pow) and formula.exp.is_Integer:
        return _factors(formula.base, power * int(formula.exp))
    return [(formula, power)]


def _counts(formula: sympy.Expr, of: torch.SymFloat) -> bool:
    """Whether `formula` is a number of things: whole, and never negative."""
    if formula.is_Rational:
        return bool(formula >= 0)
    if not formula.is_integer or formula.has(*_QUOTIENTS, ToFloat, sympy.Float):
        return False
    return bool(bound_sympy(formula, _environment(of).var_to_range).lower >= 0)


def _size(formula: sympy.Expr, like: torch.SymInt | torch.SymFloat) -> int | torch.SymInt:
    """`formula` as PyTorch records it, made of the sizes of the same trace that `like` was made of."""
    if formula.is_Integer:
        return int(formula)
    env = _environment(like)
    sizes = {symbol: env.create_symintnode(symbol, hint=None) for symbol in formula.free_symbols}
    made: torch.SymInt = sympy_interp(PythonReferenceAnalysis, sizes, formula)
    return made


def _environment(of: torch.SymInt | torch.SymFloat) -> ShapeEnv:
    env = of.node.shape_env
    assert env is not None  # none of a size that is a number
    return env
