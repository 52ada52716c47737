"""PyTorch's checkpoints written by hand, so that what a stranger may write in them can be written."""

import io
import pickletools
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from dni_exporters import read_endpoints
from dni_runtime import CheckpointError

START = b"\x80\x02"


def refusal(source: object) -> str:
    """The one sentence that a checkpoint is refused with."""
    with pytest.raises(CheckpointError) as caught:
        read_endpoints([source])  # type: ignore[list-item]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def archive(path: Path, pickled: bytes, storages: Mapping[str, bytes] | None = None, **files: str) -> Path:
    """A zip checkpoint of a pickle and storages; `files` are the small ones beside them, such as byteorder."""
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("archive/data.pkl", pickled)
        for name, content in {"version": "3\n", "byteorder": "little", **files}.items():
            made.writestr(f"archive/{name}", content)
        for key, data in (storages or {}).items():
            made.writestr(f"archive/data/{key}", data)
    return path


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def text(value: str) -> bytes:
    encoded = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def number(value: int) -> bytes:
    return b"\x8a\x10" + value.to_bytes(16, "little", signed=True)


def called(module: str, name: str, *arguments: bytes) -> bytes:
    """A pickle's call of a name with arguments."""
    return named(module, name) + b"(" + b"".join(arguments) + b"tR"


def whole(value: bytes) -> bytes:
    return START + value + b"."


def tensor(
    offset: int, shape: tuple[int, ...], stride: tuple[int, ...], count: int, *, key: str = "0", kind: str = "Float"
) -> bytes:
    """A tensor of a storage of `count` elements, float32 unless `kind` is another."""
    stored = named("torch", f"{kind}Storage")
    storage = b"(" + text("storage") + stored + text(key) + text("cpu") + number(count) + b"tQ"
    numbers = [b"(" + b"".join(map(number, values)) + b"t" for values in (shape, stride)]
    return called("torch._utils", "_rebuild_tensor_v2", storage, number(offset), *numbers, b"\x89", b"}")


def weights(**tensors: bytes) -> bytes:
    """A dictionary of tensors, or of whatever their names stand for."""
    return b"}(" + b"".join(text(name) + value for name, value in tensors.items()) + b"u"


def rezipped(source: Path, target: Path, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """The same members in another archive, as a zip program makes it of what it unpacked."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
    return target


def legacy_parts(value: object) -> tuple[bytes, bytes]:
    """A checkpoint in the format before PyTorch 1.6, as its pickles without the storages' keys, and the rest."""
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=False)
    file.seek(0)
    for _ in range(4):
        for _ in pickletools.genops(file):
            pass
    return file.getvalue()[: file.tell()], file.getvalue()[file.tell() :]
