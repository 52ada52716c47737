"""Whether this machine has a GPU, and whether models run on it."""

import tempfile
from pathlib import Path

from onnx_models import conv_stack, noise, save

from dni_runtime import DniError, load
from dni_runtime.providers.nvidia import gpu_count


def has_gpu() -> bool:
    return gpu_count() > 0


def why_no_cuda() -> str | None:
    """One sentence on why no model runs on CUDA here, None where one does."""
    with tempfile.TemporaryDirectory() as folder:
        path = save(conv_stack(), Path(folder, "model.onnx"))
        try:
            with load(path, "cuda") as model:
                model(noise(1, 3, 8, 8), 0.5)
        except DniError as error:
            return str(error)
    return None
