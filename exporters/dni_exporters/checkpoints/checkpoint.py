"""Reading checkpoints, down to the state dict that lies somewhere inside each.

Released checkpoints hold the weights under `params_ema`, `state_dict` and the like, beside optimizer
states and counters, and prefix the names with what wrapped the network while it was trained.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dni_exporters.sources import EndpointSource, StateDict, source_name
from dni_runtime import CheckpointError

from .finite import check_finite
from .holders import prefixes, words
from .nesting import Described, Nesting, Place, Value, state_dicts
from .sharded import AnyFile, open_checkpoint_file
from .stored import check_tensors, plain


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One endpoint as it was read.

    name:      the file's name without its folder, or `endpoint 1` for a state dict given in Python.
    sha256:    of the file; of names, dtypes, shapes and bytes for a state dict given in Python.
    tensors:   the state dict, on the CPU, names without wrappers' prefixes, in the file's order.
    nesting:   the keys that led to it, outermost first, () where the file is the state dict.
    prefix:    what was taken off every name.
    part:      what begins the names of this network where the state dict holds others, such as `generator_ema`.
    values:    the plain values beside the tensors, such as Real-CUGAN's `pro: 1`; a network may be built by them.
    container: all that the file holds, for writing one like it; its tensors may be descriptions of them.
    """

    name: str
    sha256: str
    tensors: dict[str, Tensor]
    path: Path | None = None
    nesting: Nesting = ()
    prefix: str = ""
    part: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)
    container: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def without_tensors(self) -> Checkpoint:
        """What is left to know once the weights have been loaded into a network, without their memory."""
        return replace(self, tensors={}, container={})


def read_endpoints(sources: Sequence[EndpointSource], *, first_number: int = 1) -> tuple[list[Checkpoint], list[str]]:
    """Read all endpoints, taking the same nested state dict from each; return them and notes for the user.

    first_number: of the first of them, where others were read before.

    Raises CheckpointError, one sentence, for anything that is not a file with named tensors.
    """
    if not sources:
        return [], []
    with ExitStack() as stack:
        opened: list[AnyFile | StateDict] = []
        found: list[dict[Place, Described]] = []
        names = [source_name(source, number) for number, source in enumerate(sources, first_number)]
        for source, name in zip(sources, names, strict=True):
            opened.append(_open(source, stack))
            found.append(state_dicts(_container(opened[-1]), name))
            if not found[-1]:
                raise CheckpointError(
                    f"{source_name(source, 0)} holds no weights: no dictionary of named tensors in it or under "
                    "params_ema, params, state_dict, model, netG and the like; give a file that holds the network's "
                    "state_dict"
                )
        chosen, notes = _choose(found, names)
        checkpoints = [
            _read(source, name, places[place], place)
            for source, name, places, place in zip(opened, names, found, chosen, strict=True)
        ]
    check_finite(names, [checkpoint.tensors for checkpoint in checkpoints])
    return of_like_names(checkpoints), notes


def candidates(checkpoint: Checkpoint) -> list[Checkpoint]:
    """`checkpoint` as it was read, then under every other name that its tensors may have in their network.

    A training program's `net.` and an old ESRGAN's own `model.` look alike: who knows the network tries them in turn.
    First less and less of the names as they were read, then more and more of them as they stand in the file.
    """
    taken = len(checkpoint.prefix)
    possible = prefixes([checkpoint.prefix + name for name in checkpoint.tensors])
    shorter = [prefix for prefix in possible if len(prefix) > taken]
    longer = [prefix for prefix in reversed(possible) if len(prefix) < taken]
    return [checkpoint, *(_renamed(checkpoint, prefix) for prefix in shorter + longer)]


def of_like_names(checkpoints: list[Checkpoint]) -> list[Checkpoint]:
    """`checkpoints` with what only some have before all names taken off, where that makes the names of all alike."""
    if all(c.tensors.keys() == checkpoints[0].tensors.keys() for c in checkpoints):
        return checkpoints
    forms = [{frozenset(form.tensors): form for form in candidates(checkpoint)} for checkpoint in checkpoints]
    alike = next((names for names in forms[0] if all(names in other for other in forms)), None)
    return checkpoints if alike is None else [each[alike] for each in forms]


def _renamed(checkpoint: Checkpoint, prefix: str) -> Checkpoint:
    """The same tensors with another `prefix` taken off the names in the file."""
    tensors = {(checkpoint.prefix + name)[len(prefix) :]: tensor for name, tensor in checkpoint.tensors.items()}
    more = prefix.removeprefix(checkpoint.prefix)
    values = {name.removeprefix(more): value for name, value in checkpoint.values.items()}
    return replace(checkpoint, tensors=tensors, prefix=prefix, values=values)


def _choose(found: Sequence[Mapping[Place, Described]], names: Sequence[str]) -> tuple[list[Place], list[str]]:
    """Which state dict of each endpoint to take, the best that all have, and notes on it for the user."""
    chosen = (
        _shared([{place: place.kind for place in places} for places in found])
        or _shared([{place: _kind_by_names(place, each) for place, each in places.items()} for places in found])
        or [next(iter(places)) for places in found]
    )
    if all(len(places) == 1 for places in found) and len(set(chosen)) == 1 and not chosen[0].part:
        return chosen, []
    taken = [f"{place} of {name}" for place, name in zip(chosen, names, strict=True)]
    if len(set(chosen)) == 1:
        taken = [f"{chosen[0]} of every endpoint" if len(chosen) > 1 else str(chosen[0])]
    return chosen, ["weights taken from " + ", ".join(taken)]


def _shared(kinds: Sequence[Mapping[Place, Hashable]]) -> list[Place]:
    """The place in each endpoint of the first kind that all have; [] where there is none."""
    by_kind = [{kind: place for place, kind in reversed(list(each.items()))} for each in kinds]
    first = next((kind for kind in kinds[0].values() if all(kind in other for other in by_kind)), None)
    return [] if first is None else [each[first] for each in by_kind]


def _kind_by_names(place: Place, described: Described) -> Hashable:
    """The same for the part `net_g` of a state dict that holds `net_g_ema` as well, and for all of one without."""
    held_by = prefixes([described.prefix + name for name in described.tensors])[-1]
    return Place(place.keys).kind, frozenset(filter(None, map(words, held_by.split("."))))


def _open(source: EndpointSource, stack: ExitStack) -> AnyFile | StateDict:
    if isinstance(source, Mapping):
        return source
    file = open_checkpoint_file(Path(source))
    stack.enter_context(file)
    return file


def _container(source: AnyFile | StateDict) -> Mapping[str, Any]:
    return source if isinstance(source, Mapping) else source.container


def _read(source: AnyFile | StateDict, name: str, described: Described, place: Place) -> Checkpoint:
    if isinstance(source, Mapping):
        check_tensors(name, described.tensors)
        tensors = {key: plain(tensor) for key, tensor in described.tensors.items() if isinstance(tensor, Tensor)}
        sha256, path = _hash_tensors(tensors, described.values), None
    else:
        tensors, sha256, path = source.read(described.tensors), source.sha256(), source.path
    return Checkpoint(
        name=name,
        sha256=sha256,
        tensors=tensors,
        path=path,
        nesting=place.keys,
        prefix=described.prefix,
        part=place.part,
        values=described.values,
        container=_container(source),
    )


def _hash_tensors(tensors: StateDict, values: Mapping[str, Value]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    for key in sorted(values):
        digest.update(f"{key} {values[key]!r}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
