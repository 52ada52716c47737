"""Numbers that are none: a training that broke down leaves NaN or infinity in its checkpoint."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dni_exporters.sources import StateDict
from dni_runtime import CheckpointError


def check_finite(owners: Sequence[str], states: Sequence[StateDict]) -> None:
    """Raise CheckpointError, which names the first such tensor and its owner, unless all numbers of `states` are some.

    An attention's mask may hold zero and minus infinity, where it is the same in all endpoints.
    """
    for owner, state in zip(owners, states, strict=True):
        for name, tensor in state.items():
            if _is_finite(tensor):
                continue
            others = [other[name] for other in states if name in other]
            if _is_mask(tensor) and all(tensor.equal(other) for other in others):
                continue
            nan, infinite = int(tensor.isnan().sum()), int(tensor.isinf().sum())
            counts = " and ".join([f"{nan} NaN"] * bool(nan) + [f"{infinite} infinite"] * bool(infinite))
            raise CheckpointError(
                f"{owner}: {name} holds {counts} of {tensor.numel()} numbers, as after a training that broke "
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
