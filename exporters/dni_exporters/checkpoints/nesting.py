"""Where in a checkpoint the weights are: under `params_ema`, `state_dict` and the like, beside optimizers' states."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from torch import Tensor

from dni_runtime import CheckpointError

from .holders import best_first, parts, words, wrappers_prefix
from .stored import AnyTensor, OtherTensor, StoredTensor

Nesting: TypeAlias = tuple[str, ...]
Value: TypeAlias = str | int | float | bool

# Of the known keys inside each other; released checkpoints have up to three.
DEEPEST = 4
MOST_DICTIONARIES = 3000


class Place(NamedTuple):
    """The keys that lead to a state dict, outermost first, and what begins its names where it is a part of one."""

    keys: Nesting = ()
    part: str = ""

    def __str__(self) -> str:
        return ".".join((*self.keys, self.part) if self.part else self.keys) or "the top level"

    @property
    def kind(self) -> tuple[object, ...]:
        """The same for `params_ema` and `params-ema`."""
        return tuple(words(key) or key for key in (*self.keys, self.part) if key)


@dataclass(frozen=True, slots=True)
class Described:
    """A state dict as it lies in the checkpoint.

    tensors: by their names without what wrappers put before them.
    prefix:  that, the same for all.
    values:  the plain values beside them, such as Real-CUGAN's `pro`.
    """

    tensors: dict[str, AnyTensor]
    prefix: str
    values: dict[str, Value]


def state_dicts(container: Mapping[Any, Any], owner: str = "a checkpoint") -> dict[Place, Described]:
    """All state dicts inside `container`, best first: under keys that say so, else under the only key with tensors.

    Tensors beside such a key are counters and the like, never the weights. Raises CheckpointError for dictionaries
    that lie too deep in each other, or in themselves.
    """
    search = _Search(owner)
    search.look(container, ())
    return search.found


class _Search:
    """Each dictionary is looked through once, however many keys lead to it.

    leads: by its id, the keys in it that lead on; leaves: by its id, the state dicts that it is.
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.found: dict[Place, Described] = {}
        self.leads: dict[int, list[str]] = {}
        self.leaves: dict[int, dict[str, Described]] = {}
        self.seen = 0

    def look(self, container: Mapping[Any, Any], keys: Nesting) -> None:
        self.seen += 1
        if self.seen > MOST_DICTIONARIES:
            raise CheckpointError(
                f"{self.owner} holds more than {MOST_DICTIONARIES} dictionaries that may be a network's; "
                "save the network's state_dict() only"
            )
        if len(keys) > DEEPEST:
            raise CheckpointError(
                f"{self.owner} nests dictionaries more than {DEEPEST} deep ({'.'.join(keys)}), or one in itself; "
                "save the network's state_dict() only"
            )
        if id(container) not in self.leads:
            self.leads[id(container)] = _leads(container)
        before = len(self.found)
        for key in self.leads[id(container)]:
            if words(key) or len(keys) < DEEPEST:  # of settings, no depth is too much
                self.look(container[key], (*keys, key))
        if len(self.found) > before:
            return
        if id(container) not in self.leaves:
            self.leaves[id(container)] = _describe(container)
        for part, described in self.leaves[id(container)].items():
            self.found[Place(keys, part)] = described


def _leads(container: Mapping[Any, Any]) -> list[str]:
    """The keys that say that they hold a network, else the only one, or the only one with tensors.

    None in a dictionary of tensors, or for an optimizer's states.
    """
    inner = {key: value for key, value in container.items() if isinstance(value, Mapping) and isinstance(key, str)}
    if named := best_first(inner):
        return named
    if _tensors(container):
        return []
    others = {key: value for key, value in inner.items() if not key.lower().startswith("optim")}
    distinct = {id(value): value for value in others.values()}
    holding = {identity for identity, value in distinct.items() if _tensors(value)}
    keys = [key for key, value in others.items() if id(value) in holding] or list(others)
    return keys if len(keys) == 1 else []


def _tensors(container: Mapping[Any, Any]) -> dict[str, AnyTensor]:
    return {
        name: value
        for name, value in container.items()
        if isinstance(name, str) and isinstance(value, Tensor | StoredTensor | OtherTensor)
    }


def _describe(container: Mapping[Any, Any]) -> dict[str, Described]:
    """The state dicts that a dictionary of tensors is, by what begins the names of each; one under "" as a rule."""
    tensors = _tensors(container)
    values = {k: v for k, v in container.items() if isinstance(k, str) and k.isprintable() and isinstance(v, Value)}
    outer = wrappers_prefix(tensors)
    made = {}
    for part in parts(name[len(outer) :] for name in tensors) or [""]:
        start = f"{outer}{part}." if part else outer
        own = {name: tensor for name, tensor in tensors.items() if name.startswith(start)}
        if not all(map(_is_counter, own.values())):
            prefix = wrappers_prefix(own)
            made[part] = Described(
                {name[len(prefix) :]: tensor for name, tensor in own.items()},
                prefix,
                {name.removeprefix(prefix): value for name, value in values.items()},
            )
    return made


def _is_counter(tensor: AnyTensor) -> bool:
    if isinstance(tensor, StoredTensor):
        return not tensor.shape
    return type(tensor) is Tensor and tensor.dim() == 0
