"""`blend` and `write_blend`: what is refused before PyTorch is imported."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from dni_runtime import Alpha, OutputError, check_alpha

from .extra import require_extra
from .outputs import refuse_existing
from .report import BlendReport
from .sources import SUFFIXES, EndpointSource, check_sources
from .torch_types import Tensor


def blend(
    endpoints: Sequence[EndpointSource], alpha: Alpha, *, alpha_range: tuple[float, float] = (0.0, 1.0)
) -> dict[str, Tensor]:
    """theta(alpha) of two or more checkpoints (paths) or state dicts, A first, as a state dict.

    Names are those of the network, without `module.` and the like; every floating-point tensor is
    blended, buffers such as BatchNorm's running statistics too, and keeps its dtype. With K endpoints
    alpha has K - 1 numbers, the shares of all but the last.

    Raises CheckpointError, EndpointError with all differences, or AlphaError.
    """
    values = _check(endpoints, alpha, alpha_range)
    from .making.blended_checkpoint import blended

    return blended(endpoints, values)[0]


def write_blend(
    endpoints: Sequence[EndpointSource],
    output: str | PathLike[str],
    alpha: Alpha,
    *,
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
    values = _check(endpoints, alpha, alpha_range)
    from .making.blended_checkpoint import write_blended

    return write_blended(endpoints, path, values)


def _check(endpoints: Sequence[EndpointSource], alpha: Alpha, alpha_range: tuple[float, float]) -> tuple[float, ...]:
    """The numbers of alpha. Raises AlphaError, EndpointError, CheckpointError, or DniError where PyTorch is missing."""
    values = check_alpha(alpha, alpha_range, max(1, len(endpoints) - 1))
    check_sources(endpoints)
    require_extra()
    return values
