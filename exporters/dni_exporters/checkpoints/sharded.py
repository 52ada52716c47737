"""A checkpoint in parts, with an index that says which of them holds which tensor: as large networks are published."""

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from torch import Tensor

from dni_exporters.opening import parts_of, weight_map
from dni_runtime import CheckpointError

from .checkpoint_file import CheckpointFile
from .stored import AnyTensor


class ShardedFile:
    """Its open parts, as one CheckpointFile. Raises CheckpointError where parts and index do not agree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with ExitStack() as stack:
            self._parts = [stack.enter_context(CheckpointFile(part)) for part in parts_of(path)]
            self._part_of = self._check()
            self._stack = stack.pop_all()
        self.container: Mapping[str, Any] = {name: part.container[name] for name, part in self._part_of.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def read(self, tensors: Mapping[str, AnyTensor]) -> dict[str, Tensor]:
        """As `CheckpointFile.read`, of each part."""
        made: dict[str, Tensor] = {}
        for part in self._parts:
            own = {id(tensor) for tensor in part.container.values()}
            made |= part.read({name: tensor for name, tensor in tensors.items() if id(tensor) in own})
        return {name: made[name] for name in tensors}

    def sha256(self) -> str:
        """Of the parts one after the other, in the order in which the index first names them."""
        digest = hashlib.sha256()
        for part in self._parts:
            part.add_to(digest)
        return digest.hexdigest()

    def _check(self) -> dict[str, CheckpointFile]:
        """The part that holds each tensor, in the index's order."""
        by_name = {part.path.name: part for part in self._parts}
        found = {name: by_name[file] for name, file in weight_map(self.path).items()}
        for name, part in found.items():
            if name not in part.container:
                raise self._disagree(part, f"has no {name!r}, which the index says is in it")
        for part in self._parts:
            if odd := next((name for name in part.container if found.get(name) is not part), None):
                raise self._disagree(part, f"has {odd!r}, of which the index says nothing")
        return found

    def _disagree(self, part: CheckpointFile, what: str) -> CheckpointError:
        return CheckpointError(f"{part.path} {what} ({self.path.name}); download all parts and the index again")


AnyFile: TypeAlias = CheckpointFile | ShardedFile


def open_checkpoint_file(path: Path) -> AnyFile:
    """The checkpoint in `path`, which may be an index. Raises CheckpointError."""
    return CheckpointFile(path) if parts_of(path) == [path] else ShardedFile(path)
