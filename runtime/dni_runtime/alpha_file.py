"""An alpha-input model on disk: its graph in memory, its weights where they are; and sessions pinned to an alpha."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from .errors import ModelError
from .metadata import Metadata, read_metadata
from .providers import Place
from .slim import read_slim

Key = tuple[float, ...]
"""Alpha as the runtime passes it on: checked, one float for every endpoint but the last."""


class AlphaFile:
    """A model file that has an input `alpha`.

    path:      absolute.
    slim:      the model; large weights are external data.
    metadata:  as the file has it, None where it is another tool's.
    """

    def __init__(self, path: Path, slim: onnx.ModelProto) -> None:
        self.path = path.resolve()
        self.slim = slim
        self.metadata: Metadata | None = read_metadata(slim)
        self._pinned: bytes | None = None
        self._state = self._read_state()

    @property
    def weight_bytes(self) -> int:
        """Size of the weights of all endpoints together."""
        return sum(
            int(entry.value)
            for tensor in self.slim.graph.initializer
            for entry in tensor.external_data
            if entry.key == "length"
        )

    def open_pinned(self, alpha: Key, place: Place) -> Any:
        """A session with alpha made a constant, so that ONNX Runtime folds the whole blend.

        Raises as `open_part` does.
        """
        if self._pinned is None:
            self._pinned = _with_constant_alpha(self.slim).SerializeToString()
        value = onnxruntime.OrtValue.ortvalue_from_numpy(np.array(alpha, np.float32))
        return self.open_part(
            self._pinned, place, lambda options: options.add_external_initializers(["alpha"], [value])
        )

    def open_part(self, model: bytes, place: Place, configure: Callable[[Any], None] | None = None) -> Any:
        """A session of a graph made from `slim`, the weights of which are still in the file.

        ONNX Runtime maps them, and Python's lock is free meanwhile. Raises ModelError if the file was changed
        since it was loaded, and whatever ONNX Runtime raises.
        """

        def find_weights(options: Any) -> None:
            folder = str(self.path.parent)
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
            if configure is not None:
                configure(options)

        self._check_unchanged()
        session = place.open(model, configure=find_weights)
        self._check_unchanged()
        return session

    def _check_unchanged(self) -> None:
        if self._read_state() != self._state:
            raise ModelError(f"{self.path.name} was changed after it was loaded; load it again")

    def _read_state(self) -> list[tuple[str, int, int, int]]:
        names = {self.path.name} | {
            entry.value
            for tensor in self.slim.graph.initializer
            for entry in tensor.external_data
            if entry.key == "location"
        }
        states = []
        for name in sorted(names):
            try:
                found = (self.path.parent / name).stat()
            except OSError:
                raise ModelError(
                    f"{self.path} needs a weights file that is missing or damaged ({Path(name).name}); "
                    "put it beside the model"
                ) from None
            states.append((name, found.st_size, found.st_mtime_ns, found.st_ino))
        return states


def read_alpha_file(path: Path) -> AlphaFile | None:
    """The alpha-input model in `path`, None where it is another kind of model (or none at all)."""
    try:
        slim = read_slim(path)
    except (OSError, ValueError):
        return None  # ONNX Runtime says what is wrong with it, or loads it: it knows formats besides ONNX
    inputs = [value.name for value in slim.graph.input]
    if len(inputs) != 2 or "alpha" not in inputs:
        return None
    return AlphaFile(path, slim)


def _with_constant_alpha(slim: onnx.ModelProto) -> onnx.ModelProto:
    """The model with alpha as a constant whose value the session options give."""
    model = onnx.ModelProto()
    model.CopyFrom(slim)
    (alpha,) = (value for value in model.graph.input if value.name == "alpha")
    model.graph.input.remove(alpha)
    for default in [tensor for tensor in model.graph.initializer if tensor.name == "alpha"]:
        model.graph.initializer.remove(default)
    constant = model.graph.initializer.add(
        name="alpha",
        dims=[dim.dim_value for dim in alpha.type.tensor_type.shape.dim],
        data_type=alpha.type.tensor_type.elem_type,
        data_location=onnx.TensorProto.EXTERNAL,
    )
    constant.external_data.add(key="location", value="alpha")  # of no file: the options win
    return model
