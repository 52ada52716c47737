"""Tensors as a checkpoint describes them, before a byte of them is read, and which of them can be blended."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import safetensors.torch
import torch
from torch import Tensor, nn

from dni_runtime import CheckpointError

# What networks compute in, or index and count with, or keep as tables (complex64: rotary embeddings). The eight and
# four bits of float8 and float4 are for storing weights, beside scales that only the code of their network knows.
DTYPES = (
    *(torch.float32, torch.float16, torch.bfloat16, torch.float64),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    *(torch.uint64, torch.uint32, torch.uint16, torch.complex64),
)
# Tied weights are twice what is stored of them, moving averages once more; masks of attention are expanded from a row.
MOST_TIMES = 4
SLACK_BYTES = 2**26
LONGEST_NAME = 1000
MOST_TENSORS = 100_000
MOST_DIMENSIONS = 32  # NumPy 1 has no more, and PyTorch computes with up to 64


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of numbers in the file, which tensors may share."""

    key: str
    dtype: torch.dtype
    count: int

    @property
    def nbytes(self) -> int:
        return self.count * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A dense tensor: which elements of its storage it is made of. `offset` and `stride` are in elements."""

    storage: Storage
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """What it takes as a tensor of its own. No dimension makes another one look small by being 0."""
        return math.prod(max(1, size) for size in self.shape) * self.dtype.itemsize

    def rebuild(self, data: bytearray) -> Tensor:
        """The tensor over the bytes of its storage, without a copy. Raises where it reaches beyond them."""
        if 0 in self.shape:
            return torch.empty(self.shape, dtype=self.dtype)
        flat = torch.frombuffer(data, dtype=self.dtype, count=len(data) // self.dtype.itemsize)
        return flat.as_strided(self.shape, self.stride, self.offset)


@dataclass(frozen=True, slots=True)
class OtherTensor:
    """One that is not read: `kind` says what it is, as in "a sparse tensor"."""

    kind: str


AnyTensor: TypeAlias = Tensor | StoredTensor | OtherTensor


def check_tensors(owner: str, tensors: Mapping[str, AnyTensor], held_bytes: int | None = None) -> None:
    """Raise CheckpointError, one sentence, unless all `tensors` can be blended in memory that `owner` justifies.

    held_bytes: what there is of them; None for tensors in Python, where it is their storages.
    """
    if len(tensors) > MOST_TENSORS:
        raise CheckpointError(f"{owner} holds {len(tensors)} tensors; expected a network's, up to {MOST_TENSORS}")
    for name, tensor in tensors.items():
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise CheckpointError(
                f"{owner} holds a tensor called {name[:40]!r}{'...' if len(name) > 40 else ''}; expected the name of a "
                f"parameter, such as conv.weight: up to {LONGEST_NAME} characters that can be printed"
            )
        if kind := _oddity(tensor):
            raise CheckpointError(
                f"{owner}: {name} is {kind}, which cannot be blended; expected dense tensors of float32, float16, "
                "bfloat16, float64, complex64, whole numbers or bool: convert it in PyTorch and save it again"
            )
    claimed = sum(_nbytes(tensor) for tensor in tensors.values())
    if held_bytes is None:
        held_bytes = _held(tensors.values())
    check_size(owner, claimed, held_bytes)


def check_size(owner: str, claimed_bytes: int, held_bytes: int) -> None:
    """Raise CheckpointError where weights would take far more memory than there is of them."""
    if claimed_bytes > MOST_TIMES * held_bytes + SLACK_BYTES:
        raise CheckpointError(
            f"{owner} holds {size_text(held_bytes)} and claims to be {size_text(claimed_bytes)} of weights; "
            f"expected at most {MOST_TIMES} times what it holds: save copies of its tensors (.clone()), uncompressed"
        )


def size_text(size_bytes: int) -> str:
    """A number of bytes to be read by people."""
    for unit, name in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:.4g} {name}"
    return f"{size_bytes} bytes"


def plain(tensor: Tensor) -> Tensor:
    """A checked tensor without what PyTorch may attach to one: gradients, a device, pending signs."""
    return tensor.detach().cpu().resolve_conj().resolve_neg()


def _oddity(tensor: AnyTensor) -> str:
    """What keeps a tensor from being blended; empty where nothing does."""
    if isinstance(tensor, OtherTensor):
        return tensor.kind
    if isinstance(tensor, Tensor):
        if type(tensor) not in (Tensor, nn.Parameter):
            return f"a {type(tensor).__name__}"
        if tensor.is_nested:
            return "a nested tensor"
        if tensor.layout != torch.strided:
            return f"a sparse tensor ({str(tensor.layout).removeprefix('torch.')})"
        if tensor.is_quantized:
            return "a quantized tensor"
        if tensor.is_meta:
            return "a tensor without values (on the device meta)"
    if len(tensor.shape) > MOST_DIMENSIONS:
        return f"of {len(tensor.shape)} dimensions"
    return "" if tensor.dtype in DTYPES else f"of the type {str(tensor.dtype).removeprefix('torch.')}"


def _nbytes(tensor: AnyTensor) -> int:
    if isinstance(tensor, OtherTensor):
        return 0
    return tensor.nbytes if isinstance(tensor, StoredTensor) else tensor.numel() * tensor.element_size()


def _held(tensors: Iterable[AnyTensor]) -> int:
    storages = [tensor.untyped_storage() for tensor in tensors if isinstance(tensor, Tensor)]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def save_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a .safetensors that whoever may read other new files may read: its library keeps them to the owner."""
    path.touch()
    mode = path.stat().st_mode
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}  # channels_last is not
    safetensors.torch.save_file(held, path, dict(metadata))
    path.chmod(mode)
