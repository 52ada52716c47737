"""Python's own functions of numbers, which make constants of an image's sizes."""

import dis
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType, ModuleType
from typing import Any

import torch
from torch import nn

from .formulas import whole

_SIZES = (torch.SymInt, torch.SymFloat)
# Whose code knows such sizes.
_FOREIGN = frozenset({"builtins", "numpy", "torch"})


def _int(value: Any = 0, *base: Any) -> Any:
    if isinstance(value, torch.SymFloat) and (size := whole(value)) is not None:
        return size
    return torch.sym_int(value) if isinstance(value, _SIZES) else int(value, *base)


def _of_sizes(python: Callable[..., Any], symbolic: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def choose(*values: Any, **options: Any) -> Any:
        if len(values) > 1 and not options and any(isinstance(value, _SIZES) for value in values):
            return functools.reduce(symbolic, values)
        return python(*values, **options)

    return choose


_FORMS = {"int": _int, "max": _of_sizes(max, torch.sym_max), "min": _of_sizes(min, torch.sym_min)}


@contextmanager
def sizes_stay_sizes(network: nn.Module) -> Iterator[None]:
    """Keep what the network's code computes of sizes by `int`, `min` and `max` a formula.

    While PyTorch traces, an image's height is an object that records what is computed with it. Python makes a number
    of it wherever it wants one: `int(np.ceil(h / 8) * 8 - h)`, `int(h * 1.5)` and Swin's
    `int(windows.shape[0] / (h * w / size / size))` would be the traced image's for all images, and `min(h, 256)` would
    be what was the smaller there.

    A function that has one of them as a value (`dtype=int`) keeps Python's.
    """
    codes = {function: code for function in _functions(network) if (code := _renamed(function)) is not None}
    plain = {function: function.__code__ for function in codes}
    modules = {id(function.__globals__): function.__globals__ for function in codes}
    try:
        for module in modules.values():
            module.update({_named(name): form for name, form in _FORMS.items()})
        for function, code in codes.items():
            function.__code__ = code
        yield
    finally:
        for function, code in plain.items():
            function.__code__ = code
        for module in modules.values():
            for name in _FORMS:
                module.pop(_named(name), None)


def _named(name: str) -> str:
    """What a form is called in a module: no name that code could have."""
    return f"{name} of sizes"


def _renamed(function: FunctionType) -> CodeType | None:
    """The code of `function` with the forms' names where it calls the functions; None where it calls none."""
    uses: dict[str, bool] = {}
    for code in _codes(function.__code__):
        for step in dis.get_instructions(code):
            # An attribute of that name, `x.int()`, has the name in common; the bit is that of a call.
            if step.opcode in dis.hasname and step.argval in _FORMS:
                is_call = step.opname == "LOAD_GLOBAL" and bool((step.arg or 0) & 1)
                uses[step.argval] = uses.get(step.argval, True) and is_call
    names = {name: _named(name) for name, called in uses.items() if called and name not in function.__globals__}
    return _with_names(function.__code__, names) if names else None


def _with_names(code: CodeType, names: dict[str, str]) -> CodeType:
    """`code`, and that of the functions in it, with other names."""
    constants = (_with_names(each, names) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_names=tuple(names.get(name, name) for name in code.co_names), co_consts=tuple(constants))


def _functions(network: nn.Module) -> list[FunctionType]:
    """The functions of the code that runs for `network`: its modules' methods, and what these name."""
    waiting: list[Any] = [
        member
        for kind in {kind for module in network.modules() for kind in type(module).__mro__}
        if _is_theirs(kind)
        for name, member in vars(kind).items()
        if name != "__init__"
    ]
    found: dict[int, FunctionType] = {}
    while waiting:
        each = waiting.pop()
        function = getattr(each, "__func__", getattr(each, "fget", each))  # of static methods and properties
        if not isinstance(function, FunctionType) or not _is_theirs(function) or id(function) in found:
            continue
        found[id(function)] = function
        names = {name for code in _codes(function.__code__) for name in code.co_names}
        known = [function.__globals__[name] for name in names & function.__globals__.keys()]
        waiting += known
        waiting += [
            vars(module)[n] for module in known if isinstance(module, ModuleType) for n in names & vars(module).keys()
        ]
        waiting += [cell.cell_contents for cell in function.__closure__ or ()]
    return list(found.values())


def _is_theirs(code: Any) -> bool:
    return str(code.__module__).partition(".")[0] not in _FOREIGN


def _codes(code: CodeType) -> Iterator[CodeType]:
    """`code`, and that of the functions, lambdas and comprehensions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
