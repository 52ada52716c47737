"""The paper's seven lines, done right: an interpolated PyTorch checkpoint."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from dni_runtime import Alpha, OutputError, check_alpha
from dni_runtime.files.unfinished import staging

from .checkpoints.checkpoint import Checkpoint, EndpointSource, read_endpoints
from .checkpoints.endpoints import Lineage, check_endpoints, lineage
from .checkpoints.nesting import state_dicts
from .graphs.blend import blend_tensors
from .write import refuse_existing

SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt")


@dataclass(frozen=True, slots=True)
class BlendReport:
    """What `write_blend` wrote.

    blended: how many tensors were blended; the others are integers, equal in all endpoints.
    lineage: of the first and the last endpoint.
    """

    path: Path
    alpha: tuple[float, ...]
    bytes: int
    tensors: int
    blended: int
    lineage: Lineage
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "path": str(self.path)}


def blend(
    endpoints: Sequence[EndpointSource], alpha: Alpha, *, alpha_range: tuple[float, float] = (0.0, 1.0)
) -> dict[str, Tensor]:
    """theta(alpha) of two or more checkpoints (paths) or state dicts, A first, as a state dict.

    Names are those of the network, without `module.` and the like; every floating-point tensor is
    blended, buffers such as BatchNorm's running statistics too, and keeps its dtype. With K endpoints
    alpha has K - 1 numbers, the shares of all but the last.

    Raises CheckpointError, EndpointError with all differences, or AlphaError.
    """
    checkpoints, _, values = _read(endpoints, alpha, alpha_range)
    return blend_tensors([c.tensors for c in checkpoints], values)


def write_blend(
    endpoints: Sequence[EndpointSource],
    output: str | os.PathLike[str],
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
    checkpoints, notes, values = _read(endpoints, alpha, alpha_range)
    first = checkpoints[0]
    theta = blend_tensors([c.tensors for c in checkpoints], values)
    with staging(path.parent) as folder:
        staged = folder / path.name
        if path.suffix.lower() == ".safetensors":
            flat = {name: tensor.contiguous() for name, tensor in theta.items()}  # channels_last is not
            safetensors.torch.save_file(flat, staged, {"format": "pt", "dni": _describe(checkpoints, values)})
        else:
            torch.save(_like(first, theta), staged)
        os.replace(staged, path)
    return BlendReport(
        path=path,
        alpha=values,
        bytes=path.stat().st_size,
        tensors=len(theta),
        blended=sum(t.is_floating_point() for t in theta.values()),
        lineage=lineage(first.tensors, checkpoints[-1].tensors),
        notes=tuple(notes),
    )


def _read(
    endpoints: Sequence[EndpointSource], alpha: Alpha, alpha_range: tuple[float, float]
) -> tuple[list[Checkpoint], list[str], tuple[float, ...]]:
    values = check_alpha(alpha, alpha_range, max(1, len(endpoints) - 1))
    checkpoints, notes = read_endpoints(endpoints)
    check_endpoints(checkpoints)
    return checkpoints, notes, values


def _like(first: Checkpoint, theta: Mapping[str, Tensor]) -> dict[str, Any]:
    """A container like A's around `theta`: its nesting, its prefixes, and what else it says in plain values."""
    prefixed = {first.prefix + name: tensor for name, tensor in theta.items()}
    result: dict[str, Any] = {}
    for nesting, tensors in state_dicts(first.container).items():
        if nesting == first.nesting or tensors.keys() == prefixed.keys():
            inner, outer = result, first.container
            for key in nesting[:-1]:
                inner, outer = inner.setdefault(key, {}), outer[key]
            if not nesting:
                return prefixed
            inner.update({k: v for k, v in outer.items() if isinstance(v, str | int | float | bool)})
            inner[nesting[-1]] = prefixed
    return result


def _describe(checkpoints: Sequence[Checkpoint], alpha: tuple[float, ...]) -> str:
    endpoints = [{"file": c.name, "sha256": c.sha256} for c in checkpoints]
    return json.dumps({"endpoints": endpoints, "alpha": alpha[0] if len(alpha) == 1 else alpha})
