"""Numbers that are none: a training that broke down leaves NaN or infinity in its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dni_runtime import CheckpointError

if TYPE_CHECKING:
    from .checkpoint import Checkpoint


def check_finite(checkpoints: Sequence[Checkpoint]) -> None:
    """Raise CheckpointError, which names the first such tensor, unless every number of every endpoint is one.

    An attention's mask may hold zero and minus infinity, where it is the same in all endpoints.
    """
    for checkpoint in checkpoints:
        for name, tensor in checkpoint.tensors.items():
            if _is_finite(tensor):
                continue
            others = [other.tensors[name] for other in checkpoints if name in other.tensors]
            if _is_mask(tensor) and all(tensor.equal(other) for other in others):
                continue
            nan, infinite = int(tensor.isnan().sum()), int(tensor.isinf().sum())
            counts = " and ".join([f"{nan} NaN"] * bool(nan) + [f"{infinite} infinite"] * bool(infinite))
            raise CheckpointError(
                f"{checkpoint.name}: {name} holds {counts} of {tensor.numel()} numbers, as after a training that broke "
                "down; take an earlier checkpoint, or download it again"
            )


def _is_finite(tensor: Tensor) -> bool:
    """In one pass without a copy: NaN and infinity are each other's smallest or largest."""
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return True
    return all(bool(end.isfinite()) for end in tensor.aminmax())


def _is_mask(tensor: Tensor) -> bool:
    return bool(((tensor == 0) | (tensor == -torch.inf)).all()) and bool((tensor == 0).any())
