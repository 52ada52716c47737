"""Run a model on OpenVINO with weights that are blended in place when alpha changes."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from dni_runtime.alpha import Key
from dni_runtime.onnx_files.external_data import Weights
from dni_runtime.prepared.blending import Blending
from dni_runtime.prepared.flat_weights import Prepared, flat_array
from dni_runtime.prepared.layout import Layout, Placement
from dni_runtime.prepared.prepare import arrange
from dni_runtime.providers.openvino_session import OpenVinoSession
from dni_runtime.providers.sessions import Place
from dni_runtime.weights.split import CannotPrepareError, split, subgraph


class OnOpenVino:
    """A model on OpenVINO's CPU plugin. Threads may share it; one call runs at a time, as in one of its streams.

    `folder`: where the external data of `slim` lies. `constants`: whether vectors (biases) are constants of the
    compiled network, whose memory is written to: OpenVINO fuses them into convolutions, and not those that are inputs
    (5 % of a Real-CUGAN's time). It promises nothing of the kind, so what it makes of them has to be compared.

    Raises CannotPrepareError where the weights cannot be told from the rest, and as OpenVinoSession does.
    """

    note = "weights are blended where OpenVINO reads them when alpha changes"

    def __init__(self, slim: onnx.ModelProto, folder: Path, place: Place, *, constants: bool) -> None:
        prepared = _prepare(slim, folder)
        self._blending = Blending(prepared)
        self._flat = flat_array(prepared.total)
        # No two alike, none of 0 or 1, nor rounded to 0: what is, OpenVINO shares, leaves out, or copies.
        self._flat[:] = np.random.default_rng(0).uniform(0.5, 0.9, prepared.total)
        weights = {
            s.name: self._flat[s.start : s.start + int(np.prod(s.shape))].reshape(s.shape) for s in prepared.slices
        }
        shared = {name: array for name, array in weights.items() if constants and array.ndim == 1}
        inputs = {name: array for name, array in weights.items() if name not in shared}
        graph = onnx.load_from_string(prepared.body).graph
        self._image, self._outputs = graph.input[0].name, [graph.output[0].name]
        self._session: Any = OpenVinoSession(
            prepared.body, place.threads, place.options, Weights(folder), inputs=inputs, shared=shared
        )
        self._alpha: Key | None = None
        self._lock = threading.Lock()

    def run(self, x: npt.NDArray[Any], alpha: Key | None) -> npt.NDArray[Any]:
        """The network's output for (N, C, H, W) of the model's own dtype."""
        assert alpha is not None
        with self._lock:
            if alpha != self._alpha:
                self._alpha = None
                self._blending.fill(alpha, self._flat)
                self._alpha = alpha
            (y,) = self._session.run(self._outputs, {self._image: x})
        result: npt.NDArray[Any] = y
        return result

    def settle(self, timeout_s: float | None) -> bool:
        """Nothing to wait for: a call blends what it needs."""
        return True

    def close(self) -> None:
        """Free the network; a call that is running finishes."""
        with self._lock:
            self._session = None


def _prepare(slim: onnx.ModelProto, folder: Path) -> Prepared:
    """The weights as they are in the graph, one after the other, and the graph that takes them."""
    halves = split(slim)
    shapes, graph = halves.shapes(), halves.model.graph
    values = {value.name: value for value in graph.value_info}
    for name in halves.weights:
        if name not in shapes or values[name].type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
            raise CannotPrepareError(f"the weight {name} is no float32 of a fixed shape")
    image = [value for value in graph.input if value.name != "alpha"]
    inputs = [*image, *(values[name] for name in halves.weights)]
    nodes = [node for node in halves.body if set(halves.weights).isdisjoint(node.output)]
    placements = tuple(
        Placement(name, shapes[name], name, np.arange(int(np.prod(shapes[name]))), np.float32(1))
        for name in halves.weights
    )
    return arrange(halves, Layout(subgraph(halves.model, nodes, inputs, graph.output), placements), folder)
