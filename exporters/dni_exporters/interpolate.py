"""`blend` and `write_blend`: what is refused before PyTorch is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from dni_runtime import Alpha, OutputError, check_alpha

from .extra import heavy_imports, require_extra
from .outputs import refuse_existing
from .report import BlendReport
from .sources import SUFFIXES, EndpointSource, check_arch, check_sources
from .torch_types import Tensor, nn


def blend(
    endpoints: Sequence[EndpointSource],
    alpha: Alpha,
    *,
    arch: str | nn.Module = "auto",
    arch_args: Mapping[str, Any] | None = None,
    alpha_range: tuple[float, float] = (0.0, 1.0),
) -> dict[str, Tensor]:
    """theta(alpha) of two or more checkpoints (paths) or state dicts, A first, as a state dict.

    Names are A's, without `module.` and the like, or those of the network (`arch` as in `export`) where the
    endpoints call their weights differently. Every floating-point tensor is blended, buffers such as BatchNorm's
    running statistics too, and keeps its dtype, the widest where the endpoints differ in it; tensors that are equal
    in all endpoints stay as they are. With K endpoints alpha has K - 1 numbers, the shares of all but the last.

    Raises CheckpointError, EndpointError with the differences, ArchitectureError where `arch` was given and does
    not fit, or AlphaError.
    """
    values = _check(endpoints, alpha, alpha_range, arch, arch_args)
    with heavy_imports():
        from .making.blended import blended

    made = blended(endpoints, values, arch, arch_args)
    return {**made.theta, **made.switches}


def write_blend(
    endpoints: Sequence[EndpointSource],
    output: str | PathLike[str],
    alpha: Alpha,
    *,
    arch: str | nn.Module = "auto",
    arch_args: Mapping[str, Any] | None = None,
    alpha_range: tuple[float, float] = (0.0, 1.0),
    force: bool = False,
) -> BlendReport:
    """Write theta(alpha) to `output`, so that it loads where A loads.

    A .pth, .pt or .ckpt gets A's nesting and prefixes; where A holds several state dicts of the same
    names (`params` beside `params_ema`) each becomes the blend. A .safetensors is flat by its format.

    Raises as `blend` does, and OutputError; nothing is written then.
    """
    path = Path(output)
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(f"the output {path} has an unknown suffix; expected one of {', '.join(SUFFIXES)}")
    refuse_existing([path], force=force)
    values = _check(endpoints, alpha, alpha_range, arch, arch_args)
    with heavy_imports():
        from .making.blended_checkpoint import write_blended

    return write_blended(endpoints, path, values, arch, arch_args)


def _check(
    endpoints: Sequence[EndpointSource],
    alpha: Alpha,
    alpha_range: tuple[float, float],
    arch: str | nn.Module,
    arch_args: Mapping[str, Any] | None,
) -> tuple[float, ...]:
    """The numbers of alpha. Raises a DniError, also where PyTorch is missing."""
    values = check_alpha(alpha, alpha_range, max(1, len(endpoints) - 1))
    check_sources(endpoints)
    check_arch(arch, arch_args)
    require_extra()
    return values
