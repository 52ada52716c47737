"""The Python backend's side of a served model: between Triton's requests and the executor."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import dni_runtime
from dni_deploy.ship.model_file import read_model_file
from dni_runtime import AlphaError, InputError

from .contract import ALPHA, AUTO, IMAGE, INPUT
from .executor import Answer, Executor, Limits

MODEL_FILE = "model.onnx"
MODEL_PY = '''"""Written by dni ship triton. The work is done by dni_deploy.ship.triton.python_model."""

import triton_python_backend_utils as pb_utils

try:
    from dni_deploy.ship.triton.python_model import PythonModel
except ModuleNotFoundError as error:
    raise RuntimeError(f"{error}: the Python that Triton runs needs it, pip install dni-deploy") from None


class TritonPythonModel:
    def initialize(self, args):
        self.model = PythonModel(args, pb_utils)

    def execute(self, requests):
        return self.model.execute(requests)

    def finalize(self):
        self.model.close()
'''


class PythonModel:
    """`args` is what Triton gives to `initialize`, `pb_utils` the module that it gives to model.py."""

    def __init__(self, args: Mapping[str, str], pb_utils: Any) -> None:
        _check_numpy(pb_utils)
        config = json.loads(args["model_config"])
        settings = {key: value["string_value"] for key, value in config["parameters"].items()}
        path = Path(args["model_repository"], args["model_version"], MODEL_FILE)
        on_gpu = args["model_instance_kind"] == "GPU"
        instances = sum(int(group.get("count", 1)) for group in config.get("instance_group", [{}]))
        self._pb_utils = pb_utils
        self._model = dni_runtime.load(
            path,
            "cuda" if on_gpu else "cpu",
            threads=None if on_gpu else int(settings.get("threads") or max(1, _cores() // instances)),
            provider_options={"device_id": args["model_instance_device_id"]} if on_gpu else None,
        )
        limits = Limits(int(settings["max_pixels"]), int(settings["max_input_pixels"]))
        self._executor = Executor(self._model, read_model_file(path), limits)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """One response for every request, in their order."""
        return [self._respond(answer) for answer in self._executor.run([self._tensors(r) for r in requests])]

    def close(self) -> None:
        self._model.close()

    def _tensors(self, request: Any) -> dict[str, Any]:
        found = {name: self._pb_utils.get_input_tensor_by_name(request, name) for name in (IMAGE, INPUT, ALPHA, AUTO)}
        return {name: tensor.as_numpy() for name, tensor in found.items() if tensor is not None}

    def _respond(self, answer: Answer) -> Any:
        pb_utils = self._pb_utils
        if isinstance(answer, dict):
            return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in answer.items()])
        blame = isinstance(answer, AlphaError | InputError)
        code = pb_utils.TritonError.INVALID_ARG if blame else pb_utils.TritonError.INTERNAL
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(answer), code))


def _check_numpy(pb_utils: Any) -> None:
    """Raise RuntimeError where the backend and NumPy do not understand each other.

    Triton 2.51's backend was built for NumPy 1. With NumPy 2 it hands over zeros, and sends answers without data,
    all without an error (seen with 2.4.6), because it looks for an array's item size where that is no more.
    """
    if int(np.__version__.split(".")[0]) < 2:
        return  # what every backend understands; and 2.51's from_dlpack puts NumPy 1.26 into an endless loop
    probe = np.arange(1, 5, dtype=np.uint8)
    if pb_utils.Tensor.from_dlpack("probe", probe).as_numpy().tolist() != probe.tolist():
        raise RuntimeError(
            f"Triton's Python backend was built for another NumPy than {np.__version__} and would read wrong numbers: "
            'pip install "numpy<2" into the Python of the server, or take a newer Triton'
        )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
