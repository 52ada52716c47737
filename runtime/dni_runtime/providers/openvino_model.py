"""An ONNX model as OpenVINO may be given it: whole, harmless, with its weights beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnx
import onnx.defs
from onnx.helper import make_tensor_value_info

from dni_runtime.errors import ModelError
from dni_runtime.metadata import Metadata, read_metadata
from dni_runtime.onnx_files.declared import Declared
from dni_runtime.onnx_files.external_data import Weights, external_files, follow_links, levels, locations, read_tensor
from dni_runtime.onnx_files.ort_format import ORT_SUFFIX
from dni_runtime.onnx_files.reading import read_model

Tensor = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Separated:
    """A model and its weights.

    model:    large weights are inputs; alpha, where it is one, has no default.
    arrays:   their values by name.
    declared: what it took and gave before.
    """

    model: onnx.ModelProto
    arrays: dict[str, Tensor]
    declared: Declared


def separate(source: str | bytes, weights: Weights | None, name: str) -> Separated:
    """The ONNX file `source` (path), or a model's bytes and the weights beside it.

    `name`: for errors. Raises ModelError for a model that cannot be read, or that OpenVINO must not be given.
    """
    model, folder = _read(source, weights)
    declared = Declared(model)
    _check_nodes(model, name)
    _require_alpha(model)
    arrays = _take_weights(model, folder, {} if weights is None else weights.values)
    if elsewhere := sorted(locations(model)):
        raise ModelError(
            f"{name} keeps values that are no weights in {elsewhere[0]!r}, where OpenVINO would look for them in "
            "the working folder; save the model in one file"
        )
    return Separated(model, arrays, declared)


def _read(source: str | bytes, weights: Weights | None) -> tuple[onnx.ModelProto, Path]:
    """The model without its large weights, and the folder in which they are found."""
    if isinstance(source, bytes):
        return onnx.ModelProto.FromString(source), Path() if weights is None else weights.folder
    path = Path(source)
    if path.suffix == ORT_SUFFIX:
        raise ModelError(f"{path} is in ONNX Runtime's own format; openvino reads .onnx files only")
    model = read_model(path)
    external_files(model, path)
    follow_links(model, path)
    return model, path.resolve().parent


def _check_nodes(model: onnx.ModelProto, name: str) -> None:
    """Raise ModelError for nodes in a circle, which OpenVINO follows for ever, and for others than ONNX has.

    With fewer inputs than an operator has, OpenVINO ends the process.
    """
    nodes = model.graph.node
    makers = {value: index for index, node in enumerate(nodes) for value in node.output if value}
    try:
        TopologicalSorter({i: [makers[v] for v in n.input if v in makers] for i, n in enumerate(nodes)}).prepare()
    except CycleError as error:
        raise ModelError(f"{name} is damaged: its node {nodes[error.args[1][0]].name!r} needs its own result") from None
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)
    for node in (node for _, nodes in levels(model) for node in nodes if node.domain in ("", "ai.onnx")):
        try:
            schema = onnx.defs.get_schema(node.op_type, opset)
        except onnx.defs.SchemaError:  # OpenVINO says that it does not know it
            continue
        least, most = schema.min_input, schema.max_input
        if not least <= len(node.input) <= most or not all(node.input[:least]):
            raise ModelError(
                f"{name} is damaged: a {node.op_type} has the inputs {[*node.input]}; expected at least {least} and at "
                f"most {most}. Export it again"
            )


def _require_alpha(model: onnx.ModelProto) -> None:
    """Take away alpha's default, which OpenVINO would make a constant; the runtime gives alpha with every call."""
    names = (read_metadata(model) or Metadata()).alpha_inputs
    inputs = {value.name for value in model.graph.input if value.name in names}
    for default in [tensor for tensor in model.graph.initializer if tensor.name in inputs]:
        model.graph.initializer.remove(default)


def _take_weights(model: onnx.ModelProto, folder: Path, given: Mapping[str, Any]) -> dict[str, Tensor]:
    """Make inputs of the weights that are not in `model` itself, and return their values by name."""
    arrays: dict[str, Tensor] = {}
    inputs = {value.name for value in model.graph.input}
    for tensor in [tensor for tensor in model.graph.initializer if tensor.external_data]:
        if tensor.name not in inputs:  # old files list weights there too
            model.graph.input.append(make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
        value = given.get(tensor.name)
        arrays[tensor.name] = read_tensor(tensor, folder) if value is None else value.numpy()
        model.graph.initializer.remove(tensor)
    return arrays
