"""A model with knobs has an input for each of its alphas; here they become one, so that all else sees one alpha."""

from collections.abc import Iterable

import numpy as np
import onnx
from onnx.external_data_helper import uses_external_data
from onnx.helper import make_node, make_tensor_value_info
from onnx.numpy_helper import from_array, to_array

from dni_runtime.alpha import ALPHA
from dni_runtime.errors import ModelError
from dni_runtime.metadata import read_metadata

from .external_data import levels


def join_knobs(model: onnx.ModelProto) -> None:
    """Replace the inputs of a model's knobs, each float32 [1], by one input `alpha` [n]; other models stay as they are.

    Defaults are joined likewise. A slice of alpha takes the place of each: what is computed stays the same. Raises
    ModelError where the model's metadata cannot be read, or names inputs that are not there.
    """
    metadata = read_metadata(model)
    if metadata is None or not metadata.alpha_knobs or metadata.alpha_pinned is not None or metadata.alpha_plane:
        return
    graph, names = model.graph, metadata.alpha_inputs
    given = {value.name: value for value in graph.input if value.name in names}
    stored = {tensor.name: tensor for tensor in graph.initializer if tensor.name in names}
    if (
        len(given) != len(names)
        or not all(map(_is_one_number, given.values()))
        or not all(map(_holds_one_number, stored.values()))
    ):
        raise ModelError(
            f"the model's metadata names the inputs {', '.join(names)}, and it does not have them all as float32 [1], "
            "with defaults in the file itself; export it again"
        )
    slices = {name: f"{ALPHA}@{name}" for name in names}
    _rename(model, slices)
    inputs = [value for value in graph.input if value.name not in names]
    nodes = list(graph.node)
    del graph.input[:], graph.node[:]
    graph.input.extend([*inputs, make_tensor_value_info(ALPHA, onnx.TensorProto.FLOAT, [len(names)])])
    for tensor in stored.values():
        graph.initializer.remove(tensor)
    if len(stored) == len(names):
        values = np.concatenate([to_array(stored[name]).reshape(1) for name in names])
        graph.initializer.append(from_array(values, ALPHA))
    for number, name in enumerate(names):
        index = f"{slices[name]}.index"
        graph.initializer.append(from_array(np.array([number], np.int64), index))
        graph.node.append(make_node("Gather", [ALPHA, index], [slices[name]]))
    graph.node.extend(nodes)


def _is_one_number(value: onnx.ValueInfoProto) -> bool:
    kind = value.type.tensor_type
    return kind.elem_type == onnx.TensorProto.FLOAT and [dim.dim_value for dim in kind.shape.dim] == [1]


def _holds_one_number(tensor: onnx.TensorProto) -> bool:
    return tensor.data_type == onnx.TensorProto.FLOAT and tensor.dims == [1] and not uses_external_data(tensor)


def _rename(model: onnx.ModelProto, names: dict[str, str]) -> None:
    """Whatever reads a value of `names` reads that of its new name."""

    def renamed(values: Iterable[str]) -> list[str]:
        return [names.get(value, value) for value in values]

    for _, nodes in levels(model):
        for node in nodes:
            if not names.keys().isdisjoint(node.input):
                node.input[:] = renamed(node.input)
