"""Networks given as code: `module:callable` and `path.py:callable`, which are the user's own and run."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from dni_runtime import ArchitectureError


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
            f"--arch {arch!r} failed when called with {given}: {type(error).__name__}: {first_line(error)}; "
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
            f"--arch: {where} cannot be imported: {type(error).__name__}: {first_line(error)}"
        ) from error


def first_line(error: BaseException) -> str:
    """What an error of somebody else's code says, on one line: its first, and the next where that is a heading."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
