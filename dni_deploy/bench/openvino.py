"""OpenVINO on the alpha-input file; there only where it is installed (`dni-deploy[openvino]`)."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from .approach import Approach, FloatArray, Running, Strength


def is_installed() -> bool:
    """Without importing it: that takes a second."""
    return find_spec("openvino") is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVino(Approach):
    """On the CPU, in float32: on some CPUs its own choice is bfloat16, whose results are not the same."""

    def open(self, threads: int | None) -> Running:
        return _Compiled(self, threads)


class _Compiled:
    note = ""

    def __init__(self, approach: OpenVino, threads: int | None) -> None:
        import openvino

        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        compiled = openvino.Core().compile_model(str(approach.files[0]), "CPU", settings)
        self._request: Any = compiled.create_infer_request()

    def __call__(self, x: FloatArray, alpha: Strength) -> FloatArray:
        outputs = self._request.infer({"input": x, "alpha": np.array(alpha, np.float32)})
        # A copy: the next call writes into the same memory.
        result: FloatArray = np.array(outputs[0], np.float32)
        return result

    def settle(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        self._request = None
