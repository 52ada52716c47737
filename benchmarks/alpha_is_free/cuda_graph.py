"""ONNX Runtime on CUDA with a captured graph: a call is one launch. Written for a GPU, and not run on one yet.

A captured graph reads and writes fixed addresses: image, alpha and output live on the device, and are updated there.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from dni_deploy.bench.approach import Approach, FloatArray, Running, Strength

BAKED_GRAPH = "baked file, CUDA graph"
ALPHA_GRAPH = "alpha-input, CUDA graph"

_OPTIONS = {"enable_cuda_graph": "1", "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaGraph(Approach):
    """The first of `files`, for images of one size: the first call's."""

    scale: float

    def open(self, threads: int | None) -> Running:
        return _Captured(self)


class _Captured:
    note = ""

    def __init__(self, approach: CudaGraph) -> None:
        providers = [("CUDAExecutionProvider", _OPTIONS)]
        self._session: Any = onnxruntime.InferenceSession(str(approach.files[0]), providers=providers)
        self._scale = approach.scale
        self._takes_alpha = len(self._session.get_inputs()) > 1
        self._binding: Any = None

    def __call__(self, x: FloatArray, alpha: Strength) -> FloatArray:
        values = {"input": x, **({"alpha": np.array(alpha, np.float32)} if self._takes_alpha else {})}
        if self._binding is None:
            self._bind(values)
        for name, value in values.items():
            self._inputs[name].update_inplace(value)
        self._session.run_with_iobinding(self._binding)
        result: FloatArray = self._output.numpy()
        return result

    def _bind(self, values: dict[str, FloatArray]) -> None:
        n, c, h, w = values["input"].shape
        shape = (n, c, round(h * self._scale), round(w * self._scale))
        on_device = onnxruntime.OrtValue.ortvalue_from_numpy
        self._inputs = {name: on_device(value, "cuda", 0) for name, value in values.items()}
        self._output = onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, "cuda", 0)
        self._binding = self._session.io_binding()
        for name, value in self._inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        self._binding.bind_ortvalue_output("output", self._output)

    def settle(self) -> None:
        """Captured in the first call."""

    def close(self) -> None:
        self._binding = self._session = None
