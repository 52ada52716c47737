"""A model's file with open averages; sessions of it are made when an image is the first that is cut into tiles."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import onnxruntime

from dni_runtime.alpha import ALPHA, Key
from dni_runtime.metadata import AVERAGES, Metadata
from dni_runtime.onnx_files.declared import Declared
from dni_runtime.onnx_files.external_data import Weights, read_tensor
from dni_runtime.providers.sessions import Place
from dni_runtime.signature import read_signature
from dni_runtime.weights.alpha_file import AlphaFile, alpha_value, with_constant_alpha
from dni_runtime.weights.split import subgraph

from .graph import open_averages
from .network import AveragesNetwork


def on_onnx_runtime(metadata: Metadata | None) -> str:
    """What is to be added to a note where another engine runs the model: nothing for a network without averages."""
    if metadata is None or metadata.view != AVERAGES:
        return ""
    return "; images in tiles are run by ONNX Runtime, as the network looks at averages over all of them"


def open_network(file: AlphaFile, place: Place) -> AveragesNetwork | None:
    """None where the averages cannot be opened. Raises ModelError where the file was changed since it was loaded."""
    file.check_unchanged()
    metadata = file.metadata or Metadata()
    opened = open_averages(file.slim)
    if opened is None:
        return None
    if place.provider == "tensorrt":  # building an engine takes minutes, and it would be a second one
        place = replace(place, provider="cuda", options={})
    # In memory, which sessions use and do not hold: they would map the file else, whose pages change with it.
    weights = {
        tensor.name: onnxruntime.OrtValue.ortvalue_from_numpy(read_tensor(tensor, file.path.parent))
        for tensor in file.slim.graph.initializer
        if tensor.external_data
    }
    file.check_unchanged()  # from here on it is not read any more

    def open_session(outputs: Sequence[str], alpha: Key | None) -> Any:
        graph = opened.model.graph
        wanted = [value for value in graph.output if value.name in outputs]
        part = subgraph(opened.model, graph.node, (), wanted)
        read = {name for node in part.graph.node for name in node.input}
        part.graph.input.extend(value for value in graph.input if value.name in read)
        used = {tensor.name for tensor in part.graph.initializer}
        values = {name: value for name, value in weights.items() if name in used}
        if alpha is not None and any(value.name == ALPHA for value in part.graph.input):
            values[ALPHA] = onnxruntime.OrtValue.ortvalue_from_numpy(value := alpha_value(file.slim, alpha))
            part = with_constant_alpha(part, value.shape)
        return place.open(part.SerializeToString(), Weights(file.path.parent, values))

    try:
        signature = read_signature(Declared(file.slim), metadata)
        return AveragesNetwork(open_session, opened.averages, place, signature, metadata)
    except Exception:  # of ONNX Runtime, a graph nobody thought of, CannotOpenError: then tiles have their own averages
        file.check_unchanged()
        return None
