"""What an ONNX file holds: `dni inspect MODEL.onnx`."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx
from onnx.external_data_helper import uses_external_data

from dni_runtime import Metadata, ModelError, read_metadata
from dni_runtime.alpha import ALPHA
from dni_runtime.ncnn.form import read_form
from dni_runtime.onnx_files.explaining import strip
from dni_runtime.onnx_files.external_data import external_file, locations
from dni_runtime.onnx_files.ort_format import ORT_SUFFIX, damaged
from dni_runtime.onnx_files.reading import read_model
from dni_runtime.onnx_files.required import require_file
from dni_runtime.onnx_files.tensors import Extent, size_bytes, type_name
from dni_runtime.providers.sessions import Place
from dni_runtime.signature import stated

# Names that NumPy has others for.
_NAMES = {"float": "float32", "double": "float64"}

_SHARED, _SCALES = "shared", "scales"
# `weight@A`, `weight@A-B`, `weight@A-B.scale`, `weight@shared`.
_PARTS = re.compile(r"(?P<name>.+)@(?:(?P<letter>[A-Z])(?:-(?P<base>[A-Z])(?P<scale>\.scale)?)?|shared)")
# What a part gives to the blend: `weight@A*share`.
_TERM = re.compile(r"(?P<name>.+)@[A-Z](?:-[A-Z])?\*share")


@dataclass(frozen=True, slots=True)
class Weight:
    """One tensor of the network.

    dtype:   as it is stored; several, such as float16+int8, where a difference between endpoints is.
    bytes:   in the file or beside it, for all endpoints together.
    blended: False for a tensor that is equal in all endpoints, or constant.
    knob:    of a model with knobs the name of the alpha that blends it, "alpha" itself for what no knob is for; None of
             others, of one that is not blended, or where the graph does not tell.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    blended: bool
    knob: str | None = None


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What `inspect_model` found. Sizes are in bytes.

    format:       "onnx", or "ort" for ONNX Runtime's own, which does not tell operators, weights and opset.
    opset:        0 where it is unknown.
    operators:    number of the graph's nodes by type.
    storage:      where the weights' bytes go: kind (endpoint A, difference A - B, scales, shared) -> dtype -> bytes.
    external_files: of weights, as the model names them; missing_files are those that are not there.
    graph_bytes:  of the file that are no weights: nodes and names; 0 where it is unknown.
    ncnn_form:    which sizes of images its form for ncnn is for, or why that cannot be used; None where it has none.
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
    missing_files: tuple[str, ...] = ()
    format: str = "onnx"
    ncnn_form: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "path": str(self.path)}


def inspect_model(path: Path) -> ModelReport:
    """Read an ONNX file of any tool, without its external weights, or an .ort file.

    Raises ModelError if it cannot be read.
    """
    if path.suffix == ORT_SUFFIX:
        return _inspect_ort(path)
    model = read_model(path)
    operators: dict[str, int] = {}
    for node in model.graph.node:
        operators[node.op_type] = operators.get(node.op_type, 0) + 1
    names = {tensor.name for tensor in model.graph.initializer}
    metadata = read_metadata(model)
    alphas = (ALPHA,) if metadata is None else metadata.alpha_inputs
    external = sorted(locations(model).keys() - {path.name})
    file_bytes = path.stat().st_size
    inside = (tensor for tensor in model.graph.initializer if _location(tensor) in (None, path.name))
    return ModelReport(
        path=path,
        file_bytes=file_bytes,
        metadata=metadata,
        inputs={v.name: _type(v) for v in model.graph.input if v.name not in names or v.name in alphas},
        outputs={v.name: _type(v) for v in model.graph.output},
        opset=next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0),
        operators=dict(sorted(operators.items(), key=lambda item: (-item[1], item[0]))),
        weights=_weights(model, _knobs(model, metadata)),
        storage=_storage(model),
        # Small numbers in lists take less than in memory.
        graph_bytes=max(0, file_bytes - sum(map(size_bytes, inside))),
        external_files=tuple(external),
        missing_files=tuple(name for name in external if not external_file(name, path).exists()),
        ncnn_form=_ncnn_form(model),
    )


def _ncnn_form(model: onnx.ModelProto) -> str | None:
    try:
        form = read_form(model)
    except ModelError as error:  # of a stranger's, say; all else of the file is there to be told
        return str(error)
    return None if form is None else str(form)


def _inspect_ort(path: Path) -> ModelReport:
    require_file(path)
    try:
        session = Place("cpu").open(str(path))
    except Exception as error:  # ONNX Runtime's errors have no common base but Exception
        raise damaged(path, strip(error)) from None
    metadata = stated(session)
    return ModelReport(
        path=path,
        format="ort",
        file_bytes=path.stat().st_size,
        metadata=metadata,
        inputs={v.name: _ort_type(v) for v in [*session.get_inputs(), *session.get_overridable_initializers()]},
        outputs={v.name: _ort_type(v) for v in session.get_outputs()},
        opset=0 if metadata is None else metadata.opset,
        operators={},
        weights=(),
        storage={},
        graph_bytes=0,
        external_files=(),
    )


def _ort_type(value: Any) -> str:
    sizes = ("?" if size is None else str(size) for size in value.shape)
    return f"{_NAMES.get(kind := value.type.removeprefix('tensor(').removesuffix(')'), kind)}[{','.join(sizes)}]"


def _knobs(model: onnx.ModelProto, metadata: Metadata | None) -> dict[str, str]:
    """Of each blended weight the name of the alpha by which the graph multiplies it."""
    names = () if metadata is None else metadata.knob_names
    follows: dict[str, str] = {}
    for name, given in zip(names, () if metadata is None else metadata.alpha_inputs, strict=False):
        follows[given] = follows[f"{ALPHA}@{given}"] = name  # an input, or made of the image's last channels
    found: dict[str, str] = {}
    for node in model.graph.node:
        if knob := next((follows[name] for name in node.input if name in follows), None):
            for value in node.output:
                if term := _TERM.fullmatch(value):
                    found[term["name"]] = knob
                else:
                    follows[value] = knob
    return found


def _weights(model: onnx.ModelProto, knobs: Mapping[str, str]) -> tuple[Weight, ...]:
    """The parts `name@A`, `name@B` of each tensor under its one name, in the order of the file."""
    found: dict[str, Weight] = {}
    for tensor in model.graph.initializer:
        name, kind = _part(tensor.name)
        known = found.get(name, Weight(name, (), "", 0, False))
        is_scale = kind == _SCALES
        types = dict.fromkeys(
            [*filter(None, known.dtype.split("+")), *([] if is_scale else [_dtype(tensor.data_type)])]
        )
        found[name] = Weight(
            name,
            known.shape if is_scale else tuple(tensor.dims),
            "+".join(types),
            known.bytes + size_bytes(tensor),
            kind != _SHARED,
            knobs.get(name),
        )
    return tuple(found.values())


def _storage(model: onnx.ModelProto) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for tensor in model.graph.initializer:
        by_type = found.setdefault(_part(tensor.name)[1], {})
        name = _dtype(tensor.data_type)
        by_type[name] = by_type.get(name, 0) + size_bytes(tensor)
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


def _location(tensor: onnx.TensorProto) -> str | None:
    return Extent.of(tensor).location if uses_external_data(tensor) else None


def _dtype(kind: int) -> str:
    return _NAMES.get(name := type_name(kind), name)


def _type(value: onnx.ValueInfoProto) -> str:
    if not value.type.HasField("tensor_type"):
        return str(value.type.WhichOneof("value")).removesuffix("_type")  # sequence, map, ...
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return f"{_dtype(tensor.elem_type)}[...]"
    sizes = [d.dim_param or (str(d.dim_value) if d.HasField("dim_value") else "?") for d in tensor.shape.dim]
    return f"{_dtype(tensor.elem_type)}[{','.join(sizes)}]"
