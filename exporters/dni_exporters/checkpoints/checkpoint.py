"""Reading checkpoints, down to the state dict that lies somewhere inside each.

Released checkpoints hold the weights under `params_ema`, `state_dict` and the like, beside optimizer
states and counters, and prefix the names with what wrapped the network while it was trained.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dni_exporters.sources import EndpointSource, StateDict, source_name
from dni_runtime import CheckpointError

from .checkpoint_file import CheckpointFile
from .nesting import NESTINGS, Nesting, state_dicts
from .stored import AnyTensor, check_tensors, plain

# Added by torch.nn.DataParallel and torch.compile.
PREFIXES = ("module.", "_orig_mod.")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One endpoint as it was read.

    name:      the file's name without its folder, or `endpoint 1` for a state dict given in Python.
    sha256:    of the file; of names, dtypes, shapes and bytes for a state dict given in Python.
    tensors:   the state dict, on the CPU, names without wrappers' prefixes, in the file's order.
    nesting:   the keys that led to it, outermost first, () where the file is the state dict.
    prefix:    what was taken off every name.
    container: all that the file holds, for writing one like it; its tensors may be descriptions of them.
    """

    name: str
    sha256: str
    tensors: dict[str, Tensor]
    path: Path | None = None
    nesting: Nesting = ()
    prefix: str = ""
    container: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def without_tensors(self) -> Checkpoint:
        """What is left to know once the weights have been loaded into a network, without their memory."""
        return replace(self, tensors={}, container={})


def read_endpoints(sources: Sequence[EndpointSource]) -> tuple[list[Checkpoint], list[str]]:
    """Read all endpoints, taking the same nested state dict from each; return them and notes for the user.

    Raises CheckpointError, one sentence, for anything that is not a file with named tensors.
    """
    if not sources:
        return [], []
    with ExitStack() as stack:
        opened, found = [], []
        names = [source_name(source, number) for number, source in enumerate(sources, 1)]
        for source, name in zip(sources, names, strict=True):
            opened.append(source if isinstance(source, Mapping) else stack.enter_context(CheckpointFile(Path(source))))
            found.append(state_dicts(_container(opened[-1]), name))
            if not found[-1]:
                raise CheckpointError(
                    f"{source_name(source, 0)} holds no weights: no dictionary of named tensors in it or under "
                    f"{', '.join(NESTINGS)}; give a file that holds the network's state_dict"
                )
        chosen, notes = _choose(found, names)
        return [
            _read(source, name, nestings[nesting], nesting)
            for source, name, nestings, nesting in zip(opened, names, found, chosen, strict=True)
        ], notes


def strip_prefix(tensors: StateDict) -> tuple[dict[str, Tensor], str]:
    """Take the prefixes of wrappers off names that all have them; return the rest and what was taken."""
    stripped, taken = dict(tensors), ""
    while stripped and (prefix := next((p for p in PREFIXES if _all_start(stripped, p)), "")):
        stripped = {name[len(prefix) :]: tensor for name, tensor in stripped.items()}
        taken += prefix
    return stripped, taken


def _all_start(names: Iterable[str], prefix: str) -> bool:
    return all(name.startswith(prefix) and name != prefix for name in names)


def _choose(found: Sequence[Mapping[Nesting, Any]], names: Sequence[str]) -> tuple[list[Nesting], list[str]]:
    """Which state dict of each endpoint to take, the best that all have, and notes on it for the user."""
    shared = [nesting for nesting in found[0] if all(nesting in other for other in found)]
    chosen = [shared[0] if shared else next(iter(nestings)) for nestings in found]
    if all(len(nestings) == 1 for nestings in found) and len(set(chosen)) == 1:
        return chosen, []
    taken = [f"{_label(nesting)} of {name}" for nesting, name in zip(chosen, names, strict=True)]
    if len(set(chosen)) == 1:
        taken = [f"{_label(chosen[0])} of every endpoint"]
    return chosen, ["weights taken from " + ", ".join(taken)]


def _container(source: CheckpointFile | StateDict) -> Mapping[str, Any]:
    return source.container if isinstance(source, CheckpointFile) else source


def _read(
    source: CheckpointFile | StateDict, name: str, described: Mapping[str, AnyTensor], nesting: Nesting
) -> Checkpoint:
    if isinstance(source, CheckpointFile):
        tensors, prefix = strip_prefix(source.read(described))
        return Checkpoint(name, source.sha256(), tensors, source.path, nesting, prefix, source.container)
    check_tensors(name, described)
    given = {key: plain(tensor) for key, tensor in described.items() if isinstance(tensor, Tensor)}
    tensors, prefix = strip_prefix(given)
    return Checkpoint(name, _hash_tensors(tensors), tensors, None, nesting, prefix, source)


def _label(nesting: Nesting) -> str:
    return ".".join(nesting) if nesting else "the top level"


def _hash_tensors(tensors: StateDict) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
