"""An alpha-input model on disk: its graph in memory, its weights where they are; and sessions pinned to an alpha."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from dni_runtime.alpha import Key
from dni_runtime.errors import ModelError
from dni_runtime.files.regular_file import State, state_of
from dni_runtime.metadata import Metadata, read_metadata
from dni_runtime.onnx_files.explaining import missing
from dni_runtime.onnx_files.external_data import Weights, follow_links, given_tensor, locations, read_tensor
from dni_runtime.onnx_files.join_knobs import join_knobs
from dni_runtime.onnx_files.ort_format import ORT_SUFFIX
from dni_runtime.onnx_files.reading import read_model
from dni_runtime.providers.cuda_options import file_options
from dni_runtime.providers.sessions import Place

from .split import dependents


class AlphaFile:
    """A model file, in most uses one that has an input `alpha`.

    path:      absolute, with links followed.
    given:     absolute, as it was asked for: from here the whole file finds its weights.
    slim:      the model; large weights are external data, relative to the folder of `path`. Knobs are joined.
    metadata:  as the file has it, None where it is another tool's.
    """

    def __init__(self, path: Path, slim: onnx.ModelProto) -> None:
        self.path = path.resolve()
        self.given = path.absolute()
        self.slim = slim
        self.metadata: Metadata | None = read_metadata(slim)
        self._pinned: bytes | None = None
        # Sessions use this memory, and do not hold it.
        self._unblended: dict[str, Any] = {}
        # Once: the model is read in other threads as well, and a walk through all its nodes takes a while.
        self._files = sorted({self.path.name, *locations(slim)})
        self._state = self._read_state()
        for name, state in self._state:
            if state is None:
                raise missing(path, Path(name).name)

    @property
    def weight_bytes(self) -> int:
        """Size of the weights of all endpoints together, in float32, as a session on a CPU holds them."""
        return sum(4 * math.prod(tensor.dims) for tensor in self.slim.graph.initializer if tensor.external_data)

    def open_pinned(self, alpha: Key, place: Place) -> Any:
        """A session with alpha made a constant, so that ONNX Runtime folds the whole blend.

        Raises as `open_part` does.
        """
        self.check_unchanged()
        value = alpha_value(self.slim, alpha)
        if self._pinned is None:
            self._unblended = {
                tensor.name: onnxruntime.OrtValue.ortvalue_from_numpy(read_tensor(tensor, self.path.parent))
                for tensor in _unblended(self.slim.graph)
            }
            self._pinned = with_constant_alpha(self.slim, value.shape).SerializeToString()
        values = {"alpha": onnxruntime.OrtValue.ortvalue_from_numpy(value), **self._unblended}
        return self.open_part(self._pinned, place, values)

    @property
    def takes_alpha(self) -> bool:
        """Whether it has an image and alpha as its inputs."""
        inputs = [value.name for value in self.slim.graph.input]
        return len(inputs) == 2 and "alpha" in inputs

    @property
    def half(self) -> bool:
        """Whether the network computes in float16; of another tool's file, whether its image or a convolution is."""
        if self.metadata is not None:
            return self.metadata.dtype == "float16"
        graph, half = self.slim.graph, onnx.TensorProto.FLOAT16
        stored = {tensor.name for tensor in graph.initializer if tensor.data_type == half}
        images = [value for value in graph.input if value.type.tensor_type.elem_type == half]
        return bool(images) or any(node.input[1] in stored for node in _convolutions(graph))

    @property
    def constant_weights(self) -> bool:
        """Whether the weights of all convolutions are constants, so that ONNX Runtime can rearrange them.

        Constants are what it folds into such, too: what depends on no input, unless it keeps it (DequantizeLinear).
        """
        graph = self.slim.graph
        if self.slim.functions or any(a.g.node or a.graphs for node in graph.node for a in node.attribute):
            return False  # convolutions may be inside
        kept = [name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output if name]
        moving = dependents(graph, [*kept, *(value.name for value in graph.input)])
        return all(node.input[1] not in moving for node in _convolutions(graph))

    def cuda_options(self, given: Mapping[str, str]) -> dict[str, str]:
        """The options for a session of the file as it is on CUDA, see `file_options`."""
        return file_options(given, half=self.half, constant_weights=self.constant_weights, takes_alpha=self.takes_alpha)

    def open_part(
        self,
        model: bytes,
        place: Place,
        values: Mapping[str, Any] | None = None,
        in_place: Mapping[str, Any] | None = None,
    ) -> Any:
        """A session of a graph made from `slim`, the weights of which are still in the file, or given as for `Weights`.

        ONNX Runtime maps them, and Python's lock is free meanwhile. Raises ModelError if the file was changed
        since it was loaded, and whatever ONNX Runtime raises.
        """
        self.check_unchanged()
        session = place.open(model, Weights(self.path.parent, values or {}, in_place or {}))
        self.check_unchanged()
        return session

    def check_unchanged(self) -> None:
        """Raise ModelError unless all files are those of which the model was loaded."""
        if self._read_state() != self._state:
            raise ModelError(f"{self.path.name} was changed or removed after it was loaded; load it again")

    @property
    def state(self) -> list[tuple[str, State | None]]:
        """Of each of its files as it was when the model was read."""
        return self._state

    def _read_state(self) -> list[tuple[str, State | None]]:
        return [(name, state_of(self.path.parent / name)) for name in self._files]


def read_onnx_file(path: Path) -> AlphaFile | None:
    """The ONNX model in `path`, None for one that ONNX Runtime alone can read. Raises ModelError where there is none.

    Nothing else may be handed to ONNX Runtime by its path: it would read what nobody has looked at.
    """
    if path.suffix == ORT_SUFFIX:
        return None
    slim = read_model(path)
    join_knobs(slim)
    follow_links(slim, path)
    return AlphaFile(path, slim)


def _convolutions(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    return [node for node in graph.node if node.op_type in ("Conv", "ConvTranspose") and len(node.input) > 1]


def _unblended(graph: onnx.GraphProto) -> list[onnx.TensorProto]:
    """Weights in a file that are the same for all alphas.

    A session does not fold them into others: it would keep the file's own pages, which change with the file.
    """
    (image,) = (value.name for value in graph.input if value.name != "alpha")
    of_image = dependents(graph, [image])
    used = {name for node in graph.node if not of_image.isdisjoint(node.output) for name in node.input}
    return [tensor for tensor in graph.initializer if tensor.external_data and tensor.name in used]


def alpha_value(slim: onnx.ModelProto, alpha: Key) -> npt.NDArray[Any]:
    """Alpha as the model declares it: other tools' may be a scalar, or of another type."""
    (declared,) = (value.type.tensor_type for value in slim.graph.input if value.name == "alpha")
    array = np.array(alpha, onnx.helper.tensor_dtype_to_np_dtype(declared.elem_type))
    return array if declared.shape.dim or not declared.HasField("shape") else array.reshape(())


def with_constant_alpha(slim: onnx.ModelProto, shape: tuple[int, ...]) -> onnx.ModelProto:
    """The model, or a part of one that has the input, with alpha as a constant whose value the session options give."""
    model = onnx.ModelProto()
    model.CopyFrom(slim)
    (alpha,) = (value for value in model.graph.input if value.name == "alpha")
    model.graph.input.remove(alpha)
    for default in [tensor for tensor in model.graph.initializer if tensor.name == "alpha"]:
        model.graph.initializer.remove(default)
    model.graph.initializer.append(given_tensor("alpha", shape, alpha.type.tensor_type.elem_type))
    return model
