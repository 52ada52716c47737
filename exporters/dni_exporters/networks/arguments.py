"""Arguments of a network, as --arch-arg gives them: any for code that makes it, `noise` for two that spandrel knows.

DRUNet and FDnCNN are told how much noise to remove, sigma in units of 0..255 as their papers give it (Zhang et al.,
arXiv 2008.13751 and 1710.04026). Nothing here needs PyTorch.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from dni_exporters.torch_types import nn
from dni_runtime import ArchitectureError

Arguments: TypeAlias = Mapping[str, Any] | None

NOISE = "noise"
_MOST = 255.0
_NEEDED_BY = "DRUNet and FDnCNN"


def is_known(arch: str | nn.Module) -> bool:
    """Whether spandrel is to know the network, which is no code of the user's then."""
    return isinstance(arch, str) and ":" not in arch


def check_arch(arch: str | nn.Module, arguments: Arguments, count: int = 1) -> None:
    """Raise ArchitectureError for arguments that nobody takes, and for a file of code that is not there.

    count: of the endpoints, each of which may have a noise level of its own.
    """
    if is_known(arch):
        if others := [name for name in arguments or {} if name != NOISE]:
            raise ArchitectureError(
                f"--arch-arg is for a network given as code (module:callable), --arch is {arch!r}, and no network that "
                f"spandrel knows takes {others[0]!r}; leave one of them out ({_NEEDED_BY} take noise=SIGMA)"
            )
        noise_levels(arguments, count)
    elif arguments and not isinstance(arch, str):
        raise ArchitectureError(
            f"arch_args are for code that builds a network, and arch is built already, a {type(arch).__name__}; "
            "leave them out"
        )
    where = arch.rpartition(":")[0] if isinstance(arch, str) else ""
    if where.endswith(".py") and not Path(where).is_file():
        raise ArchitectureError(f"--arch: there is no file {where}")


def noise_levels(arguments: Arguments, count: int) -> tuple[float, ...] | None:
    """The noise level of each of `count` endpoints, in 0..255; None where nobody said one. Raises ArchitectureError."""
    if NOISE not in (arguments or {}):
        return None
    said = (arguments or {})[NOISE]
    parts = said.split(",") if isinstance(said, str) else list(said) if isinstance(said, Sequence) else [said]
    try:
        levels = [] if isinstance(said, bytes) or bool in map(type, parts) else [float(part) for part in parts]
    except (TypeError, ValueError):
        levels = []
    if len(levels) not in (1, count) or not all(math.isfinite(level) and 0 <= level <= _MOST for level in levels):
        told = "a number" if count == 1 else f"a number, or one for each of {count} endpoints"
        raise ArchitectureError(
            f"--arch-arg noise is {said!r:.100}; expected {told}, in 0..{_MOST:g}: sigma of the noise that the network "
            f"is to remove, such as noise={','.join(['50', '25', '10', '5'][: min(count, 4)])}"
        )
    return tuple(levels * count if len(levels) == 1 else levels)


def for_each(arch: str | nn.Module, arguments: Arguments, count: int) -> list[Arguments]:
    """The arguments of the network of each of `count` endpoints. Raises ArchitectureError."""
    levels = noise_levels(arguments, count) if is_known(arch) else None
    return [arguments] * count if levels is None else [{NOISE: level} for level in levels]
