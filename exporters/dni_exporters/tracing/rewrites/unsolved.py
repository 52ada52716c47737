"""Conditions on sizes that PyTorch's solver gives up on."""

from contextlib import AbstractContextManager, suppress
from typing import Any

from torch import nn
from torch.fx.experimental.symbolic_shapes import DimConstraints

from .replacing import replaced


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
