"""A checkpoint as a file from a stranger: what it is, and what is in it. Nothing in it is called.

Its tensors are read when they are asked for: optimizers' states are often twice as large as the weights. Reading takes
about as much memory as the weights in the file (`stored.check_size` has the limit).
"""

import hashlib
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import safetensors.torch
from torch import Tensor

from dni_exporters.opening import SUFFIXES, is_safetensors, is_utf8, open_checkpoint
from dni_runtime import CheckpointError

from .stored import AnyTensor, StoredTensor, check_size, check_tensors
from .torch_file import TorchFile, open_torch_file, too_long
from .torch_pickle import STRUCTURE_LIMIT_BYTES


class CheckpointFile:
    """An open checkpoint; a context manager.

    container: all that it holds. Of a PyTorch file only what has a name, with a StoredTensor for each tensor.

    Raises CheckpointError, one sentence, for anything that is not a file with named tensors.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._torch_file: TorchFile | None = None
        self._file = open_checkpoint(path)
        try:
            self._state = self._look()
            self._is_safetensors = self._recognise()
            self.container = self._open()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def read(self, tensors: Mapping[str, AnyTensor]) -> dict[str, Tensor]:
        """Read what `container` says of some tensors. Raises CheckpointError where they cannot be blended."""
        owner = str(self.path)
        check_tensors(owner, tensors, self._state[0])
        if self._torch_file is None:
            return {name: tensor for name, tensor in tensors.items() if isinstance(tensor, Tensor)}
        stored = {name: tensor for name, tensor in tensors.items() if isinstance(tensor, StoredTensor)}
        storages = {tensor.storage for tensor in stored.values()}
        check_size(owner, sum(storage.nbytes for storage in storages), self._state[0])
        try:
            data = {storage: self._torch_file.read(storage) for storage in storages}
            return {name: tensor.rebuild(data[tensor.storage]) for name, tensor in stored.items()}
        except Exception as error:  # damaged bytes fail as anything
            raise self._damaged(error) from None

    def sha256(self) -> str:
        """Of the whole file, which is the end of reading it. Raises CheckpointError where it changed meanwhile."""
        digest = hashlib.sha256()
        self.add_to(digest)
        return digest.hexdigest()

    def add_to(self, digest: "hashlib._Hash") -> None:
        """Add the whole file to what a digest is of. Raises as `sha256`."""
        self._file.seek(0)
        hashlib.file_digest(self._file, lambda: digest)
        if self._look() != self._state:
            raise self._damaged(EOFError())

    def _look(self) -> tuple[int, int]:
        """Size in bytes, and when it was written."""
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns

    def _recognise(self) -> bool:
        """Whether it is of safetensors' format and not of PyTorch's. The suffix counts where the bytes say nothing."""
        head = self._file.read(9)
        self._file.seek(0)
        is_torch = head.startswith((b"PK\x03\x04", b"\x80\x02"))
        return is_safetensors(head) or (self.path.suffix.lower() == ".safetensors" and not is_torch)

    def _open(self) -> Mapping[str, Any]:
        try:
            if self._is_safetensors:
                return self._open_safetensors()
            self._torch_file = open_torch_file(self._file, self.path)
            container = self._torch_file.container
        except CheckpointError:
            raise
        except Exception as error:
            raise self._damaged(error) from None
        if not isinstance(container, Mapping):
            kind = "Tensor" if isinstance(container, StoredTensor) else type(container).__name__
            kind = getattr(container, "kind", kind).removeprefix("a ")
            raise CheckpointError(
                f"{self.path} holds a {kind}, not a state dict; save the network's state_dict() instead"
            )
        return container

    def _open_safetensors(self) -> Mapping[str, Tensor]:
        start = self._file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if STRUCTURE_LIMIT_BYTES < length < self._state[0]:
            raise too_long(self.path)
        if is_utf8(self.path):
            return safetensors.torch.load_file(self.path)
        self._file.seek(0)  # PyTorch maps no file of another name into memory
        return safetensors.torch.load(self._file.read())

    def _damaged(self, error: Exception) -> CheckpointError:
        if self._look() != self._state:
            return CheckpointError(f"{self.path} changed while it was read; wait until it is complete")
        why = (str(error).splitlines() or [type(error).__name__])[0][:200]
        if self._is_safetensors:
            return CheckpointError(f"{self.path} is damaged or not a .safetensors file ({why}); download it again")
        return CheckpointError(
            f"{self.path} is damaged or not a PyTorch checkpoint ({why}); expected one of {', '.join(SUFFIXES)}, "
            "whole; download it again"
        )
