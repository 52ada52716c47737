"""Where a trace took a turn: the conditions on an image's size under which it is what the network computes.

A trace follows one way through the network's code, and of `if h > 100` it keeps what its own image led to. PyTorch
writes down what it took for granted, and throws that away before it makes ONNX of the rest: of larger images the file
makes something else without a word. Whoever checks it looks at images from the other side of every turn.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType
from typing import Any, TypeAlias

import numpy as np
import sympy
import torch
from torch.export import ExportedProgram
from torch.utils._sympy.functions import CeilToInt, FloorToInt, RoundToInt, TruncToInt
from torch.utils._sympy.printers import PythonPrinter

from dni_runtime.sizes import round_up

Size: TypeAlias = tuple[int, int, int]
"""N, H and W."""

# Of the images that are looked for; what changes with more pixels than that is not found.
_LARGEST_SIDE = 2048
_MOST_PIXELS = 2**18
_MOST_BATCH = 8
# Up to which all are looked at where sizes are rounded: 90 * 1.3 is 117 and a little less, in float32 and in float64.
_ROUNDED_SIDE = 1024
# Of images that a network is shown before one behind a turn is given up: it may refuse them, too narrow ones above all.
_MOST_TRIES = 4
# Of sides beyond that, to know of what was not looked at: 2 or 3 times a power of two below this one.
_FAR_POWER = 16
_NAMES = ("N", "H", "W")
_FUNCTIONS = {"math": math, "torch": torch, "numpy": np, "float32": np.float32}
_ROUNDINGS = (TruncToInt, FloorToInt, CeilToInt, RoundToInt)


@dataclass(frozen=True, slots=True)
class Turns:
    """What a trace took for granted: expressions of Python, true of the N, H and W that it holds for.

    numbers: all those that sizes are compared with, or divided by.
    rounds:  whether sizes are rounded on the way: ONNX computes them in float32, Python in float64.
    square:  whether height and width are one size.
    """

    conditions: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    rounds: bool = False
    square: bool = False

    def beyond(
        self, shape: tuple[int, int, int, int], multiple: int, minimum: int, takes: Callable[[Size], bool]
    ) -> list[Size]:
        """Sizes at which a condition does not hold, one or two for each that has such; each size once.

        Of several it is one at which as many of the other conditions hold as can, so that it lies right behind the
        turn, and the smallest of these; and another that is square, because code asks for a height and a width at once.
        Of what the code does behind a turn nothing is known: where it turns again, that is not found.

        shape: what was traced with. multiple, minimum: of height and width. takes: whether the network takes a size.
        """
        usual = min(shape[2:])
        sizes = sorted(self._candidates(shape, multiple, minimum), key=lambda s: (min(s[1:]) < usual, math.prod(s)))
        code = [compile(condition, "<a condition on sizes>", "eval") for condition in self.conditions]
        broken = [frozenset(_broken(code, size)) for size in sizes]
        taken: dict[Size, bool] = {}
        found: dict[Size, None] = {}
        for number in range(len(self.conditions)):
            behind = sorted((len(those), at) for at, those in enumerate(broken) if number in those)
            places = [sizes[at] for _, at in behind]
            for several in (places, [place for place in places if place[1] == place[2]]):
                for size in several[:_MOST_TRIES]:
                    if size not in taken:
                        taken[size] = takes(size)
                    if taken[size]:
                        found[size] = None
                        break
        return list(found)

    def unseen(self, shape: tuple[int, int, int, int], multiple: int, minimum: int) -> list[str]:
        """Conditions that hold at every size that `beyond` looks at, and not at some larger one."""
        code = [compile(condition, "<a condition on sizes>", "eval") for condition in self.conditions]
        least = round_up(minimum, multiple)
        numbers = {number + more for number in self.numbers for more in (0, 1)}
        numbers |= {part * 2**power for part in (2, 3) for power in range(4, _FAR_POWER)}
        sides = sorted({round_up(max(number, least), multiple) for number in numbers})
        pairs = {(s, o) for s in sides for o in ((s,) if self.square else (s, least, *shape[2:]))}
        far = {number for h, w in pairs for size in ((1, h, w), (1, w, h)) for number in _broken(code, size)}
        near = {number for size in self._candidates(shape, multiple, minimum) for number in _broken(code, size)}
        return [self.conditions[number] for number in sorted(far - near)]

    def _candidates(self, shape: tuple[int, int, int, int], multiple: int, minimum: int) -> set[Size]:
        batch, _, height, width = shape
        least = round_up(minimum, multiple)
        near = [least + step * multiple for step in range(20)]
        around = [round_up(max(number + more, 1), multiple) for number in self.numbers for more in (-1, 0, 1, multiple)]
        doubled = [round_up(2**power, multiple) for power in range(5, 11)]
        sides = sorted({s for s in (*near, *around, *doubled, height, width) if least <= s <= _LARGEST_SIDE})
        pairs = {(s, s) for s in sides}
        if not self.square:
            pairs |= {(s, o) for s in sides for o in (least, near[7], height, width, s + multiple)}
            pairs |= {(w, h) for h, w in pairs}
        if self.rounds:
            every = range(least, _ROUNDED_SIDE, multiple)
            pairs |= {(s, s) for s in every}
            pairs |= {pair for s in every for pair in ((s, width), (height, s)) if not self.square}
        sizes = {(1, *pair) for pair in pairs if math.prod(pair) <= _MOST_PIXELS}
        if batch > 1:
            batches = {1, 2, 3, *(n + more for n in self.numbers for more in (0, 1) if 0 < n < _MOST_BATCH)}
            sizes |= {(n, h, w) for n in batches for h, w in pairs if max(h, w) <= max(height, width)}
        return sizes


NO_TURNS = Turns()


def _broken(conditions: Sequence[CodeType], size: Size) -> Iterator[int]:
    names = dict(zip(_NAMES, size, strict=True))
    for number, condition in enumerate(conditions):
        try:
            holds = bool(eval(condition, _FUNCTIONS, names))
        except Exception:  # what cannot be told, of a size of nothing for one, may be otherwise
            holds = False
        if not holds:
            yield number


@contextmanager
def watching_turns() -> Iterator[Callable[[], Turns]]:
    """What torch.export takes for granted while this is open, in the last trace of those it makes.

    torch.onnx.export traces by torch.export.export, and keeps the result to itself.
    """
    programs: list[ExportedProgram] = []
    export = torch.export.export

    def watched(*args: Any, **options: Any) -> ExportedProgram:
        programs.append(export(*args, **options))
        return programs[-1]

    torch.export.export = watched
    try:
        yield lambda: _turns(programs[-1])
    finally:
        torch.export.export = export


def _turns(program: ExportedProgram) -> Turns:
    (image,) = program.graph_signature.user_inputs
    value = next(node.meta["val"] for node in program.graph.nodes if node.name == image)
    sizes = {
        size.node.expr: sympy.Symbol(name, integer=True, positive=True)
        for name, size in zip(_NAMES, (value.shape[0], *value.shape[2:]), strict=True)
        if isinstance(size, torch.SymInt) and isinstance(size.node.expr, sympy.Symbol)
    }
    environment = next((size.node.shape_env for size in value.shape if isinstance(size, torch.SymInt)), None)
    if environment is None:  # all sizes are fixed
        return Turns()
    taken = [guard.expr for guard in environment.guards]
    taken += [each.expr for several in environment.deferred_runtime_asserts.values() for each in several]
    for symbol in sizes:
        span = environment.var_to_range[symbol]
        taken += [symbol >= span.lower] if isinstance(span.lower, sympy.Integer) else []
        taken += [symbol <= span.upper] if isinstance(span.upper, sympy.Integer) else []
    square = str(value.shape[2]) == str(value.shape[3])
    rounded = {each for expression in _computed(program) for each in expression.atoms(*_ROUNDINGS)}
    return _conditions(
        [each for each in taken if each.free_symbols <= sizes.keys()],
        [each for each in rounded if each.free_symbols <= sizes.keys()],
        sizes,
        square,
    )


def _computed(program: ExportedProgram) -> Iterator[sympy.Basic]:
    """All sizes in the program, as formulas."""
    for node in program.graph.nodes:
        value = node.meta.get("val")
        for size in value.shape if isinstance(value, torch.Tensor) else (value,):
            if isinstance(size, torch.SymInt | torch.SymFloat):
                yield size.node.expr


def _conditions(
    taken: Sequence[sympy.Basic],
    rounded: Sequence[sympy.Basic],
    sizes: dict[sympy.Symbol, sympy.Symbol],
    square: bool,
) -> Turns:
    printer = PythonPrinter()
    texts = [printer.doprint(each.xreplace(sizes)) for each in taken]
    for each in rounded:
        precise = printer.doprint(each.xreplace(sizes))
        texts.append(f"{precise} == {_in_float32(precise)}")
    numbers = {int(number) for each in taken for number in each.atoms(sympy.Integer)}
    return Turns(
        tuple(dict.fromkeys(texts)),
        tuple(sorted(number for number in numbers if 0 < number <= _LARGEST_SIDE)),
        bool(rounded),
        square,
    )


def _in_float32(expression: str) -> str:
    """The same of sizes in float32, with which Python's numbers become that, too."""
    for name in _NAMES:
        expression = re.sub(rf"\b{name}\b", f"float32({name})", expression)
    return expression.replace("torch.sym_float", "").replace("math.", "numpy.")
