"""Square roots of numbers of pixels, by which networks that take square images alone find their sides.

Uformer (arXiv 2106.03106, its model.py) keeps feature maps as (N, H * W, C), and every layer takes
int(math.sqrt(H * W)) for H and W. Of a size that is still free PyTorch takes the number that it has while it traces.
"""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import nn


@contextmanager
def sides_of_squares(network: nn.Module) -> Iterator[None]:
    """While it is active, height and width of the image that `network` is called with are one free size, and the square
    root of a number of pixels is a part of it, or a multiple, whichever it is at the size that is traced with.

    That is exact for multiples of that part, and a network of such layers takes no others.
    """
    sides: list[Any] = []

    def note_side(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        height, width = inputs[0].shape[2:]
        torch._check(height == width)
        sides[:] = [height]

    def root_or_none(number: Any) -> Any:
        """None of what is no free number, or not the square of a part or a multiple of the image's side."""
        if not isinstance(number, torch.SymInt) or not sides:
            return None
        (side,) = sides
        pixels: Any = number.node.hint
        whole, root = int(side.node.hint), math.isqrt(pixels)
        if not root or (whole % root and root % whole):
            return None
        found = side // (whole // root) if whole >= root else side * (root // whole)
        # At the traced size, and at one three times as large.
        for factor in (1, 3):
            there = {symbol: factor * whole for symbol in side.node.expr.free_symbols}
            if number.node.expr.xreplace(there) != found.node.expr.xreplace(there) ** 2:
                return None
        return found

    def rooted(plain: Callable[..., Any]) -> Callable[..., Any]:
        def root(number: Any) -> Any:
            found = root_or_none(number)
            return plain(number) if found is None else found

        return root

    plain_power = torch.SymInt.__pow__

    def power(base: torch.SymInt, exponent: Any) -> Any:
        found = root_or_none(base) if exponent == 0.5 else None
        return plain_power(base, exponent) if found is None else found

    forms = {plain: rooted(plain) for plain in (math.sqrt, math.isqrt)}
    hook = network.register_forward_pre_hook(note_side)
    with ExitStack() as stack:
        stack.callback(hook.remove)
        stack.enter_context(patch.object(torch.SymInt, "__pow__", power))
        stack.enter_context(patch.object(torch.SymInt, "sqrt", rooted(math.sqrt), create=True))  # NumPy's way
        for owner in (math, *_modules(network)):
            roots = [(name, plain) for name, value in vars(owner).items() for plain in forms if value is plain]
            for name, plain in roots:
                stack.enter_context(patch.object(owner, name, forms[plain]))
        yield


def _modules(network: nn.Module) -> list[Any]:
    """The modules of Python in which the code of `network` is: some import a root by its name."""
    names = {type(module).__module__ for module in network.modules()}
    return [sys.modules[name] for name in names if name.partition(".")[0] != "torch"]
