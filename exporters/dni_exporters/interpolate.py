"""`blend` and `write_blend`: what is refused before PyTorch is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from dni_runtime import Alpha, ArchitectureError, OutputError

from .extra import heavy_imports, require_extra
from .networks.arguments import NOISE, check_arch, is_known
from .outputs import refuse_existing
from .report import BlendReport
from .sources import SUFFIXES, EndpointSource, Route, check_sources, listed
from .torch_types import Tensor, nn


def blend(
    endpoints: Sequence[EndpointSource],
    alpha: Alpha,
    *,
    through: Sequence[EndpointSource] = (),
    curve: bool = False,
    path: bool = False,
    at: Sequence[float] | None = None,
    knobs: Mapping[str, str | Sequence[str]] | None = None,
    arch: str | nn.Module = "auto",
    arch_args: Mapping[str, Any] | None = None,
    alpha_range: tuple[float, float] = (0.0, 1.0),
) -> dict[str, Tensor]:
    """theta(alpha) of two or more checkpoints (paths) or state dicts, A first, as a state dict.

    Names are A's, without `module.` and the like, or those of the network (`arch` as in `export`) where the
    endpoints call their weights differently. Every floating-point tensor is blended, buffers such as BatchNorm's
    running statistics too, and keeps its dtype, the widest where the endpoints differ in it; tensors that are equal
    in all endpoints stay as they are. With K endpoints alpha has K - 1 numbers, the shares of all but the last; along
    a curve or path (`through`, `curve`, `path` and `at` as in `export`) it is one number, and with `knobs` (as there)
    it has one number more for each.

    Raises CheckpointError, EndpointError with the differences, ArchitectureError where `arch` was given and does
    not fit, or AlphaError.
    """
    route = Route(endpoints, listed(through), curve, path, None if at is None else tuple(at), knobs)
    values = _check(route, alpha, alpha_range, arch, arch_args)
    with heavy_imports():
        from .making.blended import blended

    made = blended(route, values, arch, arch_args)
    return {**made.theta, **made.switches}


def write_blend(
    endpoints: Sequence[EndpointSource],
    output: str | PathLike[str],
    alpha: Alpha,
    *,
    through: Sequence[EndpointSource] = (),
    curve: bool = False,
    path: bool = False,
    at: Sequence[float] | None = None,
    knobs: Mapping[str, str | Sequence[str]] | None = None,
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
    file = Path(output)
    if file.suffix.lower() not in SUFFIXES:
        raise OutputError(f"the output {file} has an unknown suffix; expected one of {', '.join(SUFFIXES)}")
    refuse_existing([file], force=force)
    route = Route(endpoints, listed(through), curve, path, None if at is None else tuple(at), knobs)
    values = _check(route, alpha, alpha_range, arch, arch_args)
    with heavy_imports():
        from .making.blended_checkpoint import write_blended

    return write_blended(route, file, values, arch, arch_args)


def _check(
    route: Route,
    alpha: Alpha,
    alpha_range: tuple[float, float],
    arch: str | nn.Module,
    arch_args: Mapping[str, Any] | None,
) -> tuple[float, ...]:
    """The numbers of alpha. Raises a DniError, also where PyTorch is missing."""
    values = route.check_alpha(alpha, alpha_range)
    check_sources([*route.endpoints, *route.through])
    check_arch(arch, arch_args, len(route.endpoints))
    if is_known(arch) and NOISE in (arch_args or {}):
        raise ArchitectureError(
            "--arch-arg noise is for exports: a checkpoint holds weights, and whoever runs it tells it the noise "
            "level; leave it out"
        )
    require_extra()
    return values
