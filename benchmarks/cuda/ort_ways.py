"""Bare sessions of ONNX Runtime with buffers on the device: baked files, and the alpha-input file as it is."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from way import Device, FloatArray, Way

_RUN_WITHOUT_GRAPH = "-1"


class BareSession:
    """A file in a session of its own. `options` go to the CUDA provider; `graph`: calls replay a captured CUDA graph.

    On a CPU the same without either.
    """

    def __init__(
        self, file: Path | bytes, dtype: str, device: Device, *, graph: bool, options: dict[str, str] | None = None
    ) -> None:
        self._device, self._graph = device, graph and device.is_cuda
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3
        providers: list[Any] = ["CPUExecutionProvider"]
        if device.is_cuda:
            # Without TF32 ONNX Runtime takes the tensor cores from float16 too, whose sums are float32 anyway.
            cuda = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "1" if dtype == "float16" else "0"}
            # All approaches share one card: an arena that doubles would leave nothing to the others.
            cuda |= {"arena_extend_strategy": "kSameAsRequested", "enable_cuda_graph": str(int(graph))}
            providers = [("CUDAExecutionProvider", cuda | (options or {}))]
        model = file if isinstance(file, bytes) else str(file)
        self._session: Any = onnxruntime.InferenceSession(model, settings, providers=providers)
        if device.is_cuda and self._session.get_providers()[0] != "CUDAExecutionProvider":
            raise RuntimeError(f"ONNX Runtime took {self._session.get_providers()} instead of CUDA")
        self._takes_alpha = any(value.name == "alpha" for value in self._session.get_inputs())
        self._shapes = 0

    def way(self, name: str, x: FloatArray, scale: int) -> Way:
        """Calls with the image `x`, in buffers of their own."""
        self._shapes += 1
        n, c, h, w = x.shape
        image = onnxruntime.OrtValue.ortvalue_from_numpy(x, self._device.kind, 0)
        alpha = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(1, np.float32), self._device.kind, 0)
        output = onnxruntime.OrtValue.ortvalue_from_shape_and_type(
            (n, c, h * scale, w * scale), np.float32, self._device.kind, 0
        )
        binding = self._session.io_binding()
        binding.bind_ortvalue_input("input", image)
        if self._takes_alpha:
            binding.bind_ortvalue_input("alpha", alpha)
        binding.bind_ortvalue_output("output", output)
        options = onnxruntime.RunOptions()
        if self._graph:
            options.add_run_config_entry("gpu_graph_id", str(self._shapes))
        written: list[float] = []

        def run(value: float) -> Any:
            if self._takes_alpha and written != [value]:
                alpha.update_inplace(np.array([value], np.float32))
                written[:] = [value]
            self._session.run_with_iobinding(binding, options)
            return output, image

        def read(kept: Any) -> FloatArray:
            return np.array(kept[0].numpy())

        return Way(name, run, read, moves=self._takes_alpha)
