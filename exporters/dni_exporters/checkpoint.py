"""Reading a checkpoint: safely, and down to the state dict that lies somewhere inside it.

Released checkpoints hold the weights under `params_ema`, `state_dict` and the like, beside optimizer
states and counters, and prefix the names with what wrapped the network while it was trained.
"""

import hashlib
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import safetensors.torch
import torch
from torch import Tensor

from dni_runtime import CheckpointError

StateDict: TypeAlias = Mapping[str, Tensor]
EndpointSource: TypeAlias = str | PathLike[str] | StateDict

# In order of preference: the moving average is what a project evaluates and publishes.
NESTINGS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "generator", "g_ema")
# Added by torch.nn.DataParallel and torch.compile.
PREFIXES = ("module.", "_orig_mod.")
SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One endpoint as it was read.

    name:      the file's name without its folder, or `endpoint 1` for a state dict given in Python.
    sha256:    of the file; of names, dtypes, shapes and bytes for a state dict given in Python.
    tensors:   the state dict, on the CPU, names without wrappers' prefixes, in the file's order.
    nesting:   the keys that led to it, outermost first, () where the file is the state dict.
    prefix:    what was taken off every name.
    container: all that the file holds, for writing one like it.
    """

    name: str
    sha256: str
    tensors: dict[str, Tensor]
    path: Path | None = None
    nesting: tuple[str, ...] = ()
    prefix: str = ""
    container: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def without_tensors(self) -> "Checkpoint":
        """What is left to know once the weights have been loaded into a network, without their memory."""
        return replace(self, tensors={}, container={})


def read_endpoints(sources: Sequence[EndpointSource]) -> tuple[list[Checkpoint], list[str]]:
    """Read all endpoints, taking the same nested state dict from each; return them and notes for the user.

    Raises CheckpointError, one sentence, for anything that is not a file with named tensors.
    """
    if not sources:
        return [], []
    containers = [_read(source) for source in sources]
    found = [dict(state_dicts(container)) for container in containers]
    for source, nestings in zip(sources, found, strict=True):
        if not nestings:
            raise CheckpointError(
                f"{_name(source, 0)} holds no weights: no dictionary of named tensors in it or under "
                f"{', '.join(NESTINGS)}; give a file that holds the network's state_dict"
            )
    shared = [nesting for nesting in found[0] if all(nesting in other for other in found)]
    chosen = [shared[0] if shared else next(iter(nestings)) for nestings in found]
    notes = []
    if any(len(nestings) > 1 for nestings in found) or len(set(chosen)) > 1:
        taken = [f"{_label(n)} of {_name(s, i)}" for i, (n, s) in enumerate(zip(chosen, sources, strict=True))]
        if len(set(chosen)) == 1:
            taken = [f"{_label(chosen[0])} of every endpoint"]
        notes.append("weights taken from " + ", ".join(taken))
    return [
        _checkpoint(source, container, nestings[nesting], nesting, number)
        for number, (source, container, nestings, nesting) in enumerate(
            zip(sources, containers, found, chosen, strict=True), 1
        )
    ], notes


def strip_prefix(tensors: StateDict) -> tuple[dict[str, Tensor], str]:
    """Take the prefixes of wrappers off names that all have them; return the rest and what was taken."""
    stripped, taken = dict(tensors), ""
    while prefix := next((p for p in PREFIXES if all(k.startswith(p) for k in stripped)), ""):
        stripped = {name[len(prefix) :]: tensor for name, tensor in stripped.items()}
        taken += prefix
    return stripped, taken


def _checkpoint(
    source: EndpointSource,
    container: Mapping[str, Any],
    tensors: StateDict,
    nesting: tuple[str, ...],
    number: int,
) -> Checkpoint:
    stripped, prefix = strip_prefix(tensors)
    path = None if isinstance(source, Mapping) else Path(source)
    sha256 = _hash_tensors(stripped) if path is None else _hash_file(path)
    return Checkpoint(_name(source, number), sha256, stripped, path, nesting, prefix, container)


def _name(source: EndpointSource, number: int) -> str:
    if not isinstance(source, Mapping):
        return Path(source).name
    return f"endpoint {number}" if number else "a state dict"


def _label(nesting: tuple[str, ...]) -> str:
    return ".".join(nesting) if nesting else "the top level"


def state_dicts(container: Mapping[str, Any], nesting: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All state dicts inside `container` under the known keys, best first.

    Tensors beside such a key are counters and the like, never the weights.
    """
    inner = [(key, container[key]) for key in NESTINGS if isinstance(container.get(key), Mapping)]
    nested = [found for key, value in inner for found in state_dicts(value, (*nesting, key))]
    yield from nested
    tensors = {k: v for k, v in container.items() if isinstance(k, str) and isinstance(v, torch.Tensor)}
    if tensors and not nested:
        yield nesting, tensors


def _read(source: EndpointSource) -> Mapping[str, Any]:
    if isinstance(source, Mapping):
        return source
    path = Path(source)
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from None
    if not head:
        raise CheckpointError(f"{path} is empty; download or save it again")
    if head.lstrip()[:1] == b"<":
        raise CheckpointError(
            f"{path} is a web page, not a checkpoint: the download saved the site's answer; download the file itself"
        )
    if head.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{path} is a Git LFS pointer, not a checkpoint; fetch the file itself (git lfs pull)")
    container = _read_safetensors(path) if path.suffix.lower() == ".safetensors" else _read_pickle(path)
    if not isinstance(container, Mapping):
        raise CheckpointError(
            f"{path} holds a {type(container).__name__}, not a state dict; save the network's state_dict() instead"
        )
    return container


def _read_safetensors(path: Path) -> Mapping[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{path} is damaged or not a .safetensors file ({error}); download it again") from None


def _read_pickle(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what PyTorch has to say about TorchScript is said below
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # damaged bytes fail as IndexError, struct.error, OSError, anything
        text = str(error)
    if "TorchScript" in text:
        raise CheckpointError(f"{path} is a TorchScript program, not a checkpoint; save its state_dict() instead")
    if wanted := re.search(r"GLOBAL `?([\w.]+)", text):
        raise CheckpointError(
            f"{path} wants to run code when it is loaded ({wanted[1]}), which is refused; "
            "ask its author for a file of tensors only (a state_dict, best as .safetensors)"
        )
    raise CheckpointError(
        f"{path} is damaged or not a PyTorch checkpoint; expected one of {', '.join(SUFFIXES)}, whole; "
        "download it again"
    )


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_tensors(tensors: StateDict) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
