"""What endpoints and networks are given as, and what can be refused of them before PyTorch is imported to read them."""

from collections.abc import Mapping, Sequence
from io import BufferedReader
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from dni_runtime import ArchitectureError, CheckpointError, EndpointError, ExportError
from dni_runtime.files.regular_file import open_file

from .torch_types import Tensor, nn

StateDict: TypeAlias = Mapping[str, Tensor]
EndpointSource: TypeAlias = str | PathLike[str] | StateDict
"""A checkpoint: the path of a .pth, .pt, .ckpt or .safetensors file, or a state dict, PyTorch's tensors by name."""

# Of checkpoints, read and written.
SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors")


def source_name(source: EndpointSource, number: int) -> str:
    """What endpoint `number`, counted from 1, is called; a state dict of no number is "a state dict"."""
    if not isinstance(source, Mapping):
        return Path(source).name
    return f"endpoint {number}" if number else "a state dict"


def check_sources(sources: Sequence[EndpointSource]) -> None:
    """Raise EndpointError for too few endpoints, CheckpointError for a file that by its first bytes can be none."""
    check_count(len(sources))
    for source in sources:
        if not isinstance(source, Mapping):
            open_checkpoint(Path(source)).close()


def check_count(count: int) -> None:
    """Raise EndpointError unless there is something to blend."""
    if count < 2:
        raise EndpointError(f"{count} endpoint given; a blend needs at least two checkpoints")


def check_linkable(sources: Sequence[EndpointSource], folder: Path) -> None:
    """Raise ExportError unless a model in `folder` can read its weights from the files of `sources`.

    They have to lie there or below: ONNX Runtime refuses paths that lead out of it.
    """
    for number, source in enumerate(sources, 1):
        if isinstance(source, Mapping) or Path(source).suffix.lower() != ".safetensors":
            raise ExportError(
                f"--weights link needs .safetensors endpoints, {source_name(source, number)} is none; "
                "convert it first (dni blend A A --alpha 1 -o A.safetensors) or use --weights external"
            )
        if not Path(source).resolve().is_relative_to(folder.resolve()):
            raise ExportError(
                f"--weights link: {source} does not lie in the model's folder {folder} or below, "
                "and ONNX Runtime follows no link out of it; write the model beside its endpoints"
            )


def check_arch(arch: str | nn.Module, arguments: Mapping[str, Any] | None) -> None:
    """Raise ArchitectureError for arguments that nobody takes, and for a file of code that is not there."""
    if not isinstance(arch, str):
        return
    where, is_code, _ = arch.rpartition(":")
    if arguments and not is_code:
        raise ArchitectureError(
            f"--arch-arg is for a network given as code (module:callable), --arch is {arch!r}; leave one of them out"
        )
    if where.endswith(".py") and not Path(where).is_file():
        raise ArchitectureError(f"--arch: there is no file {where}")


def open_checkpoint(path: Path) -> BufferedReader:
    """Open what may be a checkpoint, to read it from its beginning. Raises CheckpointError where it can be none."""
    try:
        file = open_file(path)
    except OSError as error:
        raise CheckpointError(f"{path} {error.strerror}; expected a checkpoint, one of {', '.join(SUFFIXES)}") from None
    try:
        _refuse_other_downloads(path, file.read(512))
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _refuse_other_downloads(path: Path, head: bytes) -> None:
    """Say what came in the place of a checkpoint."""
    if not head:
        raise CheckpointError(f"{path} is empty; download or save it again")
    if head.lstrip()[:1] == b"<" and b"\0" not in head:  # the length of a safetensors' header may begin so
        raise CheckpointError(
            f"{path} is a web page, not a checkpoint: the download saved the site's answer; download the file itself"
        )
    if head.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{path} is a Git LFS pointer, not a checkpoint; fetch the file itself (git lfs pull)")
    if head[257:262] == b"ustar":
        raise CheckpointError(
            f"{path} is a tar archive, PyTorch's format of 2016; load it in PyTorch and save it again"
        )
