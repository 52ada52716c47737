"""The paper's seven lines, done right: an interpolated PyTorch checkpoint, in a container like the first endpoint's."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dni_exporters.checkpoints.checkpoint import Checkpoint
from dni_exporters.checkpoints.nesting import Place, Value, state_dicts
from dni_exporters.checkpoints.stored import save_safetensors
from dni_exporters.networks.arguments import Arguments
from dni_exporters.report import BlendReport
from dni_exporters.sources import Route
from dni_runtime.files.unfinished import staging

from .blended import blended


def write_blended(
    route: Route,
    path: Path,
    alpha: tuple[float, ...],
    arch: str | nn.Module,
    arch_args: Arguments,
) -> BlendReport:
    """Write theta(alpha) to `path`. Raises as `blended`, and OutputError; nothing is written then."""
    made = blended(route, alpha, arch, arch_args)
    theta, checkpoints, notes = made.theta, made.checkpoints, list(made.notes)
    first = checkpoints[0]
    with staging(path.parent) as folder:
        staged = folder / path.name
        if path.suffix.lower() == ".safetensors":
            held = {**made.switches, **theta}
            notes += [
                f"{name!r} beside the weights of {first.name} is left out: {path.name} holds tensors alone"
                for name in first.values
                if name not in held
            ]
            save_safetensors(staged, held, {"format": "pt", "dni": _describe(checkpoints, alpha)})
        else:
            torch.save(_like(first, theta), staged)
        os.replace(staged, path)
    return BlendReport(
        path=path,
        alpha=alpha,
        bytes=path.stat().st_size,
        tensors=len(theta),
        blended=sum(t.is_floating_point() for t in theta.values()),
        lineage=made.lineage,
        notes=tuple(notes),
    )


def _like(first: Checkpoint, theta: Mapping[str, Tensor]) -> dict[str, Any]:
    """A container like A's around `theta`: its nesting, its prefixes, and what else it says in plain values."""
    found = state_dicts(first.container)
    chosen = Place(first.nesting, first.part)
    own = {(first.prefix + name)[len(found[chosen].prefix) :]: tensor for name, tensor in theta.items()}
    result: dict[str, Any] = {}
    for place, described in found.items():
        if place == chosen or described.tensors.keys() == own.keys():
            inner, outer = result, first.container
            for key in place.keys:
                inner.update(_plain(outer))
                inner, outer = inner.setdefault(key, {}), outer[key]
            inner.update(_plain(outer))
            inner.update({described.prefix + name: tensor for name, tensor in own.items()})
    return result


def _plain(container: Mapping[str, Any]) -> dict[str, Value]:
    return {key: value for key, value in container.items() if isinstance(key, str) and isinstance(value, Value)}


def _describe(checkpoints: Sequence[Checkpoint], alpha: tuple[float, ...]) -> str:
    endpoints = [{"file": c.name, "sha256": c.sha256} for c in checkpoints]
    return json.dumps({"endpoints": endpoints, "alpha": alpha[0] if len(alpha) == 1 else alpha})
