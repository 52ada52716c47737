"""Where in a checkpoint the weights are: under `params_ema`, `state_dict` and the like, beside optimizers' states."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from torch import Tensor

from dni_runtime import CheckpointError

from .stored import AnyTensor, OtherTensor, StoredTensor

Nesting: TypeAlias = tuple[str, ...]

# In order of preference: the moving average is what a project evaluates and publishes.
NESTINGS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "generator", "g_ema")
# Of the known keys inside each other; released checkpoints have up to three.
DEEPEST = 4


def state_dicts(container: Mapping[Any, Any], owner: str = "a checkpoint") -> dict[Nesting, dict[str, AnyTensor]]:
    """All state dicts inside `container` under the known keys, best first.

    Tensors beside such a key are counters and the like, never the weights. Raises CheckpointError for dictionaries
    that lie too deep in each other, or in themselves.
    """
    found: dict[Nesting, dict[str, AnyTensor]] = {}
    _find(container, (), found, {}, owner)
    return found


def _find(
    container: Mapping[Any, Any],
    nesting: Nesting,
    found: dict[Nesting, dict[str, AnyTensor]],
    seen: dict[int, dict[str, AnyTensor]],
    owner: str,
) -> None:
    """Add to `found` what is in `container`; `seen` are the tensors of each dictionary, by its id."""
    if len(nesting) > DEEPEST:
        raise CheckpointError(
            f"{owner} nests dictionaries more than {DEEPEST} deep ({'.'.join(nesting)}), or one in itself; "
            "save the network's state_dict() only"
        )
    before = len(found)
    for key in NESTINGS:
        if isinstance(inner := container.get(key), Mapping):
            _find(inner, (*nesting, key), found, seen, owner)
    if len(found) == before:
        if id(container) not in seen:
            seen[id(container)] = {
                name: value
                for name, value in container.items()
                if isinstance(name, str) and isinstance(value, Tensor | StoredTensor | OtherTensor)
            }
        if tensors := seen[id(container)]:
            found[nesting] = tensors
