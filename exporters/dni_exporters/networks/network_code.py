"""Networks given as code: `module:callable` and `path.py:callable`, which are the user's own and run."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from dni_runtime import ArchitectureError

# Of what a message lists.
_MOST = 10


def call(arch: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The network that `arch` makes of `arguments`. Raises ArchitectureError where it makes none."""
    where, _, attribute = arch.rpartition(":")
    try:
        factory = getattr(_import(where), attribute)
    except AttributeError:
        raise ArchitectureError(f"--arch {arch!r}: there is no {attribute!r} in {where}") from None
    try:
        network = factory(**arguments)
    except Exception as error:  # whatever the user's own code raises
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items()) or "no arguments"
        raise ArchitectureError(
            f"--arch {arch!r} failed when called with {given}: {type(error).__name__}: {message(error)}; "
            "arguments are given as --arch-arg KEY=VALUE"
        ) from error
    if not isinstance(network, nn.Module):
        raise ArchitectureError(f"--arch {arch!r} returned a {type(network).__name__}; expected a torch.nn.Module")
    return network


def _import(where: str) -> Any:
    path = Path(where)
    try:
        if path.suffix != ".py":
            return importlib.import_module(where)
        # The user's file may import its neighbours, as it can when it is run.
        sys.path.insert(0, str(path.resolve().parent))
        try:
            spec = importlib.util.spec_from_file_location(path.stem, path)
            assert spec is not None and spec.loader is not None  # it ends in .py
            module = importlib.util.module_from_spec(spec)
            sys.modules.setdefault(path.stem, module)
            spec.loader.exec_module(module)
            return module
        finally:
            sys.path.remove(str(path.resolve().parent))
    except Exception as error:  # whatever the user's own code raises
        raise ArchitectureError(
            f"--arch: {where} cannot be imported: {type(error).__name__}: {message(error)}"
        ) from error


def one_line(error: ArchitectureError) -> str:
    """What an error of ours says, as a note."""
    return " ".join(map(str.strip, str(error).splitlines()))


def message(error: BaseException) -> str:
    """What an error of somebody else's code says, whole, on one line; of long lists the first ten."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(ten_of(lines))


def ten_of(lines: Sequence[str]) -> list[str]:
    """The first ten, and of what each of them lists the first ten: of PyTorch's own there may be thousands."""
    more = len(lines) - _MOST
    return [_short(line) for line in lines[:_MOST]] + [f"and {more} more"] * (more > 0)


def _short(line: str) -> str:
    items = line.split(", ")
    more = len(items) - _MOST
    return f"{', '.join(items[:_MOST])} and {more} more." if more > 0 else line
