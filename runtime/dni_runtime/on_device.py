"""Run an alpha-input model on a GPU: weights stay on the device and are blended there when alpha changes.

The head writes every weight into a buffer that the body is bound to; so alpha may move under a captured CUDA
graph, and while it holds nothing is blended at all. Written after ONNX Runtime's documentation and tested with
all buffers on the CPU; on a GPU it has not run yet: `pytest -m gpu` and `python -m benchmarks.alpha_is_free`
check it where there is one.
"""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from .alpha_file import AlphaFile, Key
from .providers import Place
from .signature import Signature
from .split import CannotPrepareError, split, subgraph

Tensor = npt.NDArray[Any]

# A captured graph keeps its buffers for good: as many image shapes as a service with fixed tiles may have.
_GRAPH_LIMIT = 8
_NUMPY_TYPES: dict[int, type[np.generic]] = {
    onnx.TensorProto.FLOAT: np.float32,
    onnx.TensorProto.FLOAT16: np.float16,
}


@dataclass(slots=True)
class _Captured:
    """The buffers of one image shape, and the options that name its CUDA graph."""

    image: Any
    output: Any
    binding: Any
    options: Any


class OnDevice:
    """An alpha-input model whose weights stay on a device. Threads may share it; one runs at a time.

    `place`: cuda, or cpu for tests; `graphs`: whether to run captured CUDA graphs. Raises CannotPrepareError
    where the model cannot be split.
    """

    def __init__(self, file: AlphaFile, signature: Signature, place: Place, *, graphs: bool) -> None:
        halves = split(file.slim)
        shapes = halves.shapes()
        kinds = {value.name: value.type.tensor_type.elem_type for value in halves.model.graph.value_info}
        graph = halves.model.graph
        weights = []
        for name in halves.weights:
            if name not in shapes or kinds[name] not in _NUMPY_TYPES:
                raise CannotPrepareError(f"the shape or type of {name} is not fixed")
            weights.append(onnx.helper.make_tensor_value_info(name, kinds[name], shapes[name]))
        alpha = [value for value in graph.input if value.name == "alpha"]
        image = [value for value in graph.input if value.name != "alpha"]
        head = subgraph(halves.model, halves.head, alpha, weights)
        body = subgraph(halves.model, halves.body, [*image, *weights], graph.output)
        self._device = place.provider
        self._signature = signature
        self._graphs = graphs
        self._head = file.open_part(head.SerializeToString(), place)
        self._body = file.open_part(body.SerializeToString(), place.with_cuda_graphs() if graphs else place)
        self.note = "weights stay on the device and are blended there when alpha changes"
        self._lock = threading.Lock()
        self._alpha: Key | None = None
        self._captured: dict[tuple[int, ...], _Captured] = {}
        self._weights = {
            value.name: self._buffer(shapes[value.name], _NUMPY_TYPES[kinds[value.name]]) for value in weights
        }
        self._blending = self._head.io_binding()
        for name, value in self._weights.items():
            self._blending.bind_ortvalue_output(name, value)

    def run(self, x: Tensor, alpha: Key | None) -> Tensor:
        """The network's output for a NumPy array, which goes to the device and back."""
        assert alpha is not None
        x = np.ascontiguousarray(x)
        with self._lock:
            self._blend(alpha)
            captured = self._captured.get(x.shape)
            if captured is None:
                captured = self._capture(x)
            if captured is None:
                image = onnxruntime.OrtValue.ortvalue_from_numpy(x, self._device, 0)
                result: Tensor = self._run_once(image).numpy()
                return result
            captured.image.update_inplace(x)
            self._body.run_with_iobinding(captured.binding, captured.options)
            # The next call overwrites the buffer, which on a CPU is the array's own memory.
            result = np.array(captured.output.numpy())
            return result

    def run_there(self, x: Any, alpha: Key) -> Any:
        """The output for an OrtValue on the device, as another one; nothing passes through the host."""
        with self._lock:
            self._blend(alpha)
            return self._run_once(x)

    def settle(self, timeout_s: float | None) -> bool:
        """Nothing to wait for."""
        return True

    def close(self) -> None:
        """Nothing to stop; memory is freed when the last call is done."""

    def _blend(self, alpha: Key) -> None:
        if alpha == self._alpha:
            return
        self._alpha = None  # whatever fails below leaves the weights in between
        signature = self._signature
        self._blending.bind_cpu_input("alpha", np.array(alpha, signature.alpha_dtype).reshape(signature.alpha_shape))
        self._head.run_with_iobinding(self._blending)
        self._alpha = alpha

    def _capture(self, x: Tensor) -> _Captured | None:
        """Buffers for images like `x`, None where no more of them are kept."""
        if len(self._captured) >= _GRAPH_LIMIT:
            return None
        image = onnxruntime.OrtValue.ortvalue_from_numpy(x, self._device, 0)
        output = self._run_once(image)
        binding = self._bind(image)
        binding.bind_ortvalue_output(self._signature.output_name, output)
        captured = _Captured(image, output, binding, _options(len(self._captured) + 1 if self._graphs else None))
        self._captured[x.shape] = captured
        return captured

    def _run_once(self, image: Any) -> Any:
        binding = self._bind(image)
        binding.bind_output(self._signature.output_name, self._device)
        # What the caller's own stream writes has to be there before ours reads it.
        binding.synchronize_inputs()
        self._body.run_with_iobinding(binding, _options(-1 if self._graphs else None))
        binding.synchronize_outputs()
        (output,) = binding.get_outputs()
        return output

    def _bind(self, image: Any) -> Any:
        binding = self._body.io_binding()
        binding.bind_ortvalue_input(self._signature.input_name, image)
        for name, value in self._weights.items():
            binding.bind_ortvalue_input(name, value)
        return binding

    def _buffer(self, shape: tuple[int, ...], kind: type[np.generic]) -> Any:
        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, kind, self._device, 0)


def _options(graph: int | None) -> Any:
    """Run options that name a CUDA graph; -1 runs without one in a session that has them."""
    if graph is None:
        return None
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(graph))
    return options
