"""What a device is given to run, and its way, on a CPU: the weights that a head computes, buffers of the CPU."""

from pathlib import Path

import numpy as np
import onnxruntime
from exporting import photo

from dni_runtime.cuda.device_plan.buffer import KINDS
from dni_runtime.cuda.device_plan.plan import DevicePlan
from dni_runtime.cuda.on_device import OnDevice
from dni_runtime.metadata import Metadata
from dni_runtime.onnx_files.declared import Declared
from dni_runtime.providers.sessions import Place
from dni_runtime.signature import read_signature
from dni_runtime.weights.alpha_file import AlphaFile, read_onnx_file

IMAGE = photo(2, 3, 28, 12)
ALPHAS = (0.31, 0.31, 0.77, 0.31, 1.0, 0.0)


def read(path: Path) -> AlphaFile:
    file = read_onnx_file(path)
    assert file is not None
    return file


def blended(file: AlphaFile, plan: DevicePlan, alpha: float) -> dict[str, np.ndarray]:
    """All weights of the body, computed by the head."""
    values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(v) for name, v in plan.endpoints.items()}
    head = file.open_part(plan.head.SerializeToString(), Place("cpu"), values)
    made = head.run([part.name for part in plan.made], {"alpha": np.array([alpha], np.float32)})
    buffer = np.zeros(plan.total_bytes, np.uint8)
    for part, y in zip(plan.made, made, strict=True):
        assert (y.shape, y.dtype) == (part.shape, KINDS[part.kind])
        buffer[part.start : part.start + y.nbytes] = y.ravel().view(np.uint8)
    for part in plan.weights:
        if part.name in plan.fixed:
            buffer[part.start : part.start + plan.fixed[part.name].nbytes] = (
                plan.fixed[part.name].ravel().view(np.uint8)
            )
    return {
        part.name: buffer[part.start :][: int(np.prod(part.shape)) * KINDS[part.kind].itemsize]
        .view(KINDS[part.kind])
        .reshape(part.shape)
        for part in plan.weights
    }


def on_cpu(path: Path, *, nhwc: bool = False, half: bool = False) -> OnDevice:
    file = read_onnx_file(path)
    assert file is not None
    signature = read_signature(Declared(file.slim), file.metadata or Metadata())
    return OnDevice(file, signature, Place("cpu", half=half), graphs=False, nhwc=nhwc)
