"""Weights that stay where they are: an ONNX file of graph alone that reads the endpoints' .safetensors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx_ir as ir

from dni_exporters.checkpoints.checkpoint import Checkpoint
from dni_exporters.checkpoints.holders import prefixes
from dni_exporters.opening import parts_of, safetensors_header
from dni_runtime import ExportError

from .blend import Stored


def link_weights(model: ir.Model, stored: Stored, endpoints: Sequence[Checkpoint], folder: Path) -> None:
    """Let the `stored` weights of the model be read from the endpoints' own .safetensors files.

    The files lie in `folder`, where the model will be, or below (see `making.linkable`).

    Raises ExportError where a weight is not stored as the model needs it.
    """
    files = [_Header(endpoint, folder) for endpoint in endpoints]
    for value in model.graph.initializers.values():
        if value.name in stored:  # else a constant of the graph
            number, tensor = stored[value.name]
            value.const_value = files[number].external(tensor, value)


class _Header:
    """Where each tensor of an endpoint lies in its .safetensors."""

    def __init__(self, endpoint: Checkpoint, folder: Path) -> None:
        assert endpoint.path is not None
        self._endpoint = endpoint
        self._entries: dict[str, tuple[str, int, dict[str, Any]]] = {}
        for part in parts_of(endpoint.path):
            location = part.resolve().relative_to(folder.resolve()).as_posix()
            header = safetensors_header(part)
            assert header is not None  # its tensors have been read
            entries, start = header
            self._entries |= {n: (location, start, entry) for n, entry in entries.items() if n != "__metadata__"}
        own = [name for name in self._entries if name.startswith(f"{endpoint.part}." * bool(endpoint.part))]
        self._prefixes = [endpoint.prefix, *prefixes(own)]

    def external(self, name: str, value: ir.Value) -> ir.ExternalTensor:
        tensor = value.const_value
        assert tensor is not None and value.name is not None
        held_names = (prefix + name for prefix in self._prefixes if prefix + name in self._entries)
        location, start, stored = self._entries.get(next(held_names, ""), ("", 0, None))
        dtypes = {"F32": ir.DataType.FLOAT, "F16": ir.DataType.FLOAT16, "F64": ir.DataType.DOUBLE}
        if stored is None or dtypes.get(str(stored["dtype"])) != tensor.dtype:
            held = "nothing" if stored is None else stored["dtype"]
            raise ExportError(
                f"--weights link: {self._endpoint.name} holds {held} under {name!r}, the model needs "
                f"{tensor.dtype.name}; use --weights external"
            )
        begin, end = stored["data_offsets"]
        return ir.ExternalTensor(
            location,
            start + int(begin),
            int(end) - int(begin),
            tensor.dtype,
            shape=ir.Shape(stored["shape"]),
            name=value.name,
            base_dir="",
        )
