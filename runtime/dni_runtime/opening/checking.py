"""What is tried when a model is loaded: whether it runs at all, and whether a faster way gives the same answers."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from dni_runtime.metadata import Metadata
from dni_runtime.onnx_files.explaining import first_line
from dni_runtime.providers.nvidia import CUDA_REMEDY
from dni_runtime.signature import Signature
from dni_runtime.weights.split import CannotPrepareError

from .runners import Runner
from .small_image import middle_alphas, small_image

# As for the exporter's own check against PyTorch: float32 rounding through a deep network.
_TOLERANCE, _HALF_TOLERANCE = 1e-5, 2e-2


def check_equal(
    candidate: Runner,
    plain: Runner,
    signature: Signature,
    metadata: Metadata,
    *,
    half: bool,
    tolerance: float = _TOLERANCE,
) -> None:
    """Compare with the graph as it is in the file at some middle alphas, on one small image of noise.

    And at the first one again: on a device the image's shape has its own buffers from the second call on. `half`:
    whether the network computes in float16. `tolerance`: of float32. Raises CannotPrepareError where they differ.
    """
    x = small_image(signature, metadata)
    alphas = middle_alphas(signature, metadata)
    for alpha in (*alphas, alphas[0]):
        expected, got = (runner.run(x, alpha) for runner in (plain, candidate))
        check_same(got, expected, half=half, tolerance=tolerance)


def check_same(got: npt.NDArray[Any], expected: npt.NDArray[Any], *, half: bool, tolerance: float = _TOLERANCE) -> None:
    """Raise CannotPrepareError unless two results of one image are the same but for the order of sums.

    `half`: whether the network computes in float16. `tolerance`: of float32.
    """
    got, expected = got.astype(np.float32), expected.astype(np.float32)
    if got.shape != expected.shape:
        raise CannotPrepareError(f"its results have the shape {got.shape}, expected {expected.shape}")
    error, largest = float(np.abs(expected - got).max()), float(np.abs(expected).max())
    if not error <= (_HALF_TOLERANCE if half else tolerance) * max(1.0, largest):  # NaN fails too
        raise CannotPrepareError(f"its results are off by {error:.1e}")


def why_not_at_run_time(plain: Runner, signature: Signature, metadata: Metadata) -> str | None:
    """What CUDA lacks to run a model that it could load, None where nothing is known to be missing.

    ONNX Runtime 1.31 loads cuDNN when the first convolution runs.
    """
    try:
        plain.run(small_image(signature, metadata), middle_alphas(signature, metadata)[0])
    except Exception as error:
        # Anything else is the model's own, such as sizes that it does not take: a call says so. Names of source files
        # have "cuda" in them as well.
        if re.search("cudnn|cublas|cuda", re.sub(r"\S*/\S+", "", str(error)), re.IGNORECASE):
            return f"it could not run the model ({first_line(error)}). {CUDA_REMEDY}"
    return None
