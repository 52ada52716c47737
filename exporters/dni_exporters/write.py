"""Writing models whole or not at all: everything is made in a hidden folder beside the output, then moved."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx_ir as ir

from dni_runtime import ExportError, OutputError

from .checkpoint import Checkpoint

# Protocol Buffers refuse messages of 2 GiB; the graph itself needs room too.
EMBED_LIMIT_BYTES = 2**31 - 2**26


def refuse_existing(paths: Sequence[Path], *, force: bool) -> None:
    """Raise OutputError if one of `paths` exists and may not be replaced."""
    existing = [path for path in paths if path.exists()]
    if existing and not force:
        more = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        raise OutputError(
            f"{existing[0]}{more} exists already and is kept; replace it with --force (force=True)"
        )
    if folder := next((path for path in existing if path.is_dir()), None):
        raise OutputError(f"{folder} is a folder; expected the name of a file to write")


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A hidden folder inside `folder`, gone afterwards whatever happens.

    Raises OutputError, in place of the OSError, where something inside could not be written.
    """
    hidden = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(prefix=".dni-", dir=folder))
        yield hidden
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written to: {error.strerror or error}; nothing was written. "
            "Make room or choose another output"
        ) from error
    finally:
        if hidden is not None:
            shutil.rmtree(hidden, ignore_errors=True)


def save(model: ir.Model, path: Path, *, external: bool) -> None:
    """Write `model` to `path`, its weights inside, or in `path` + `.data` beside it.

    Tensors below 256 bytes stay inside: ONNX Runtime reads shapes while it loads the graph.
    """
    ir.save(model, path, external_data=f"{path.name}.data" if external else None)


def weight_bytes(model: ir.Model) -> int:
    """The size of all weights in bytes."""
    return sum(
        int(v.const_value.nbytes) for v in model.graph.initializers.values() if v.const_value is not None
    )


def publish(staged: Path, output: Path) -> None:
    """Move a written model, and its .data file where it has one, to its final name.

    A model is never seen beside the weights of another one: the old model goes first, the new one
    comes last.
    """
    weights = staged.with_name(f"{staged.name}.data")
    old_weights = output.with_name(f"{output.name}.data")
    if weights.exists():
        output.unlink(missing_ok=True)
        os.replace(weights, old_weights)
        os.replace(staged, output)
    else:
        os.replace(staged, output)
        old_weights.unlink(missing_ok=True)


def link_weights(model: ir.Model, endpoints: Sequence[Checkpoint], folder: Path) -> None:
    """Let the model's weights be read from the endpoints' own .safetensors files.

    The files have to lie in `folder` (where the model will be) or below, because ONNX Runtime refuses
    paths that lead out of it; every weight has to be stored as the model needs it.

    Raises ExportError where one of this does not hold.
    """
    files = [_Header(endpoint, folder) for endpoint in endpoints]
    for value in model.graph.initializers.values():
        name, _, letter = str(value.name).partition("@")
        number = ord(letter) - ord("A") if len(letter) == 1 else 0
        header, endpoint = files[number], endpoints[number]
        if name not in endpoint.tensors or value.const_value is None:
            continue  # a constant of the graph
        value.const_value = header.external(name, value)


class _Header:
    """Where each tensor lies in a .safetensors file (the format: 8 bytes of length, JSON, then bytes)."""

    def __init__(self, endpoint: Checkpoint, folder: Path) -> None:
        if endpoint.path is None or endpoint.path.suffix.lower() != ".safetensors":
            raise ExportError(
                f"--weights link needs .safetensors endpoints, {endpoint.name} is none; "
                "convert it first (dni blend A A --alpha 1 -o A.safetensors) or use --weights external"
            )
        path = endpoint.path.resolve()
        if not path.is_relative_to(folder.resolve()):
            raise ExportError(
                f"--weights link: {endpoint.path} does not lie in the model's folder {folder} or below, "
                "and ONNX Runtime follows no link out of it; write the model beside its endpoints"
            )
        self._endpoint = endpoint
        self._location = path.relative_to(folder.resolve()).as_posix()
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            self._entries: Mapping[str, dict[str, Any]] = json.loads(file.read(length))
        self._start = 8 + length

    def external(self, name: str, value: ir.Value) -> ir.ExternalTensor:
        tensor = value.const_value
        assert tensor is not None and value.name is not None
        stored = self._entries.get(self._endpoint.prefix + name)
        dtypes = {"F32": ir.DataType.FLOAT, "F16": ir.DataType.FLOAT16, "F64": ir.DataType.DOUBLE}
        if stored is None or dtypes.get(str(stored["dtype"])) != tensor.dtype:
            held = "nothing" if stored is None else stored["dtype"]
            raise ExportError(
                f"--weights link: {self._endpoint.name} holds {held} under {name!r}, the model needs {tensor.dtype.name}; "
                "use --weights external"
            )
        begin, end = stored["data_offsets"]
        return ir.ExternalTensor(
            self._location,
            self._start + int(begin),
            int(end) - int(begin),
            tensor.dtype,
            shape=ir.Shape(stored["shape"]),
            name=value.name,
            base_dir="",
        )
