"""Which files a checkpoint is made of: one, or an index and its parts. Told by first bytes, and without PyTorch."""

import json
import re
from io import BufferedReader
from pathlib import Path
from typing import Any

from dni_runtime import CheckpointError
from dni_runtime.files.regular_file import open_file

# Of checkpoints, read and written. What is read is told by what is in it.
SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors")
MOST_PARTS = 100  # all are open at once
_INDEX_LIMIT_BYTES = 2**23
_HEADER_LIMIT_BYTES = 100_000_000  # the format's own
_PART = re.compile(r"(?P<stem>.+)-\d{5}-of-(?P<count>\d{5})(?P<suffix>\.\w{1,20})")


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


def is_safetensors(head: bytes) -> bool:
    """Whether a file that begins so is of that format, whatever it is called: the length of its JSON, and JSON."""
    return head[6:9] == b"\0\0{"


def safetensors_header(path: Path) -> tuple[dict[str, Any], int] | None:
    """What the .safetensors `path` says of its tensors, by name, and the offset in the file that theirs count from.

    The format: 8 bytes of length, as much JSON, the tensors' bytes. None for a file of another format, and for one
    that cannot be read: who reads its tensors says what is wrong.
    """
    with open_checkpoint(path) as file:
        head = file.read(9)
        length = int.from_bytes(head[:8], "little")
        if not is_safetensors(head) or length > _HEADER_LIMIT_BYTES:
            return None
        try:
            header = json.loads(head[8:] + file.read(length - 1))
        except (ValueError, RecursionError):
            return None
    return (header, 8 + length) if isinstance(header, dict) else None


def is_utf8(path: Path) -> bool:
    """Whether all of `path` is text: names of files may be any bytes."""
    return str(path) == str(path).encode(errors="replace").decode()


def parts_of(path: Path) -> list[Path]:
    """The files that hold the tensors of the checkpoint `path`: itself, or those that it is the index of.

    Raises CheckpointError where one of them is missing, and for a part that was given in place of its index.
    """
    with open_checkpoint(path) as file:
        head = file.read(8)
        if head.lstrip()[:1] != b"{" or b"\0" in head:
            _refuse_part(path)
            return [path]
        text = head + file.read(_INDEX_LIMIT_BYTES)
    parts = [path.parent / name for name in dict.fromkeys(_weight_map(text, path).values())]
    for part in parts:
        open_checkpoint(part).close()
    return parts


def weight_map(path: Path) -> dict[str, str]:
    """The name of the part that holds each tensor, as the index `path` has it. Raises CheckpointError."""
    with open_checkpoint(path) as file:
        return _weight_map(file.read(_INDEX_LIMIT_BYTES + 1), path)


def _weight_map(text: bytes, path: Path) -> dict[str, str]:
    try:
        if len(text) > _INDEX_LIMIT_BYTES:
            raise ValueError("it is too long")
        index = json.loads(text)
        found = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(found, dict) or not found:
            raise ValueError("it has no weight_map")
        if odd := [name for name in found.values() if not _is_plain(name)]:
            raise ValueError(f"it names {str(odd[0])[:100]!r}, which is no file beside it")
        if len(set(found.values())) > MOST_PARTS:
            raise ValueError(f"it names more than {MOST_PARTS} files")
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is a JSON file and no index of a checkpoint's parts ({error}); expected a checkpoint, or the "
            ".safetensors.index.json that came with its parts"
        ) from None
    return found


def _is_plain(name: object) -> bool:
    return isinstance(name, str) and name.isprintable() and name not in ("", ".", "..") and not set(name) & set('/\\:"')


def _refuse_part(path: Path) -> None:
    """One part of several has some of a network's layers."""
    match = _PART.fullmatch(path.name)
    if match is None or int(match["count"]) < 2:
        return
    index = path.with_name(f"{match['stem']}{match['suffix']}.index.json")
    remedy = f"give {index}" if index.is_file() else f"get {index.name}, which belongs beside the parts, and give that"
    raise CheckpointError(
        f"{path} is one of {int(match['count'])} parts of a checkpoint; expected the index of them: {remedy}"
    )


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
