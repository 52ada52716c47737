"""Graphs as ONNX Runtime optimizes them for this machine's CPU, and what they compute as they are."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime


def optimized(model: bytes, folder: Path) -> bytes:
    """The model, optimized; written into `folder`."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return (folder / "optimized.onnx").read_bytes()


def computed(model: bytes, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The one result of one image, with nothing optimized."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    result: npt.NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: x})[0]
    return result
