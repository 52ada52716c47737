"""What an ONNX file holds: `dni inspect MODEL.onnx`."""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from dni_runtime import Metadata, ModelError, read_metadata

_SHARED, _SCALES = "shared", "scales"
# `weight@A`, `weight@A-B`, `weight@A-B.scale`, `weight@shared`.
_PARTS = re.compile(r"(?P<name>.+)@(?:(?P<letter>[A-Z])(?:-(?P<base>[A-Z])(?P<scale>\.scale)?)?|shared)")


@dataclass(frozen=True, slots=True)
class Weight:
    """One tensor of the network.

    dtype:   as it is stored; several, such as float16+int8, where a difference between endpoints is.
    bytes:   in the file or beside it, for all endpoints together.
    blended: False for a tensor that is equal in all endpoints, or constant.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    blended: bool


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What `inspect_model` found. Sizes are in bytes.

    operators:    number of the graph's nodes by type.
    storage:      where the weights' bytes go: kind (endpoint A, difference A - B, scales, shared) -> dtype -> bytes.
    graph_bytes:  of the file that are no weights: nodes and names.
    """

    path: Path
    file_bytes: int
    metadata: Metadata | None
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    opset: int
    operators: Mapping[str, int]
    weights: tuple[Weight, ...]
    storage: Mapping[str, Mapping[str, int]]
    graph_bytes: int
    external_files: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "path": str(self.path)}


def inspect_model(path: Path) -> ModelReport:
    """Read an ONNX file of any tool, without its external weights. Raises ModelError if it cannot be read."""
    try:
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # protobuf's DecodeError has moved between modules from version to version
        raise ModelError(f"{path} is not an ONNX file, or only a part of one ({error})") from None
    if not model.graph.node:
        raise ModelError(f"{path} is not an ONNX file, or only a part of one: it holds no graph")
    operators: dict[str, int] = {}
    for node in model.graph.node:
        operators[node.op_type] = operators.get(node.op_type, 0) + 1
    names = {tensor.name for tensor in model.graph.initializer}
    external = {
        entry.value
        for tensor in model.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    file_bytes = path.stat().st_size
    inside = (tensor for tensor in model.graph.initializer if tensor.data_location != onnx.TensorProto.EXTERNAL)
    return ModelReport(
        path=path,
        file_bytes=file_bytes,
        metadata=read_metadata(model),
        inputs={v.name: _type(v) for v in model.graph.input if v.name not in names or v.name == "alpha"},
        outputs={v.name: _type(v) for v in model.graph.output},
        opset=next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0),
        operators=dict(sorted(operators.items(), key=lambda item: (-item[1], item[0]))),
        weights=_weights(model),
        storage=_storage(model),
        graph_bytes=file_bytes - sum(map(_bytes, inside)),
        external_files=tuple(sorted(external)),
    )


def _weights(model: onnx.ModelProto) -> tuple[Weight, ...]:
    """The parts `name@A`, `name@B` of each tensor under its one name, in the order of the file."""
    found: dict[str, Weight] = {}
    for tensor in model.graph.initializer:
        name, kind = _part(tensor.name)
        known = found.get(name, Weight(name, (), "", 0, False))
        is_scale = kind == _SCALES
        types = dict.fromkeys([*filter(None, known.dtype.split("+")), *([] if is_scale else [_dtype(tensor).name])])
        found[name] = Weight(
            name,
            known.shape if is_scale else tuple(tensor.dims),
            "+".join(types),
            known.bytes + _bytes(tensor),
            kind != _SHARED,
        )
    return tuple(found.values())


def _storage(model: onnx.ModelProto) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for tensor in model.graph.initializer:
        by_type = found.setdefault(_part(tensor.name)[1], {})
        name = _dtype(tensor).name
        by_type[name] = by_type.get(name, 0) + _bytes(tensor)
    return dict(sorted(found.items()))


def _part(name: str) -> tuple[str, str]:
    """The weight that an initializer belongs to, and which part of it it is; the exporter's names tell."""
    match = _PARTS.fullmatch(name)
    if match is None:
        return name, _SHARED
    if match["scale"]:
        return match["name"], _SCALES
    if match["base"]:
        return match["name"], f"difference {match['letter']} - {match['base']}"
    return match["name"], f"endpoint {match['letter']}" if match["letter"] else _SHARED


def _dtype(tensor: onnx.TensorProto) -> np.dtype[Any]:
    return onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)


def _bytes(tensor: onnx.TensorProto) -> int:
    return int(math.prod(tensor.dims) * _dtype(tensor).itemsize)


def _type(value: onnx.ValueInfoProto) -> str:
    if not value.type.HasField("tensor_type"):
        return str(value.type.WhichOneof("value")).removesuffix("_type")  # sequence, map, ...
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return f"{onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name}[...]"
    sizes = [d.dim_param or (str(d.dim_value) if d.HasField("dim_value") else "?") for d in tensor.shape.dim]
    return f"{onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name}[{','.join(sizes)}]"
