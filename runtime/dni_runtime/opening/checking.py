"""What is tried when a model is loaded: whether it runs at all, and whether a faster way gives the same answers."""

import re
from collections.abc import Sequence
from itertools import cycle, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dni_runtime.alpha import Key
from dni_runtime.metadata import Metadata
from dni_runtime.onnx_files.explaining import first_line
from dni_runtime.providers.nvidia import CUDA_REMEDY
from dni_runtime.signature import Signature
from dni_runtime.weights.split import CannotPrepareError

from .runners import Runner

# As for the exporter's own check against PyTorch: float32 rounding through a deep network.
_TOLERANCE, _HALF_TOLERANCE = 1e-5, 2e-2
_PROBE_PIXELS = 32
_TINY_PIXELS = 8
_SMALL_VALUES = 3 * 64 * 64


def check_equal(candidate: Runner, plain: Runner, signature: Signature, metadata: Metadata, *, half: bool) -> None:
    """Compare with the graph as it is in the file at some middle alphas, on one small image of noise.

    And at the first one again: on a device the image's shape has its own buffers from the second call on. `half`:
    whether the network computes in float16. Raises CannotPrepareError where they differ.
    """
    x = _small_image(signature, metadata)
    alphas = middle_alphas(signature, metadata)
    for alpha in (*alphas, alphas[0]):
        expected, got = (runner.run(x, alpha) for runner in (plain, candidate))
        check_same(got, expected, half=half)


def check_same(got: npt.NDArray[Any], expected: npt.NDArray[Any], *, half: bool) -> None:
    """Raise CannotPrepareError unless two results of one image are the same but for the order of sums.

    `half`: whether the network computes in float16.
    """
    got, expected = got.astype(np.float32), expected.astype(np.float32)
    if got.shape != expected.shape:
        raise CannotPrepareError(f"its results have the shape {got.shape}, expected {expected.shape}")
    error, largest = float(np.abs(expected - got).max()), float(np.abs(expected).max())
    if not error <= (_HALF_TOLERANCE if half else _TOLERANCE) * max(1.0, largest):  # NaN fails too
        raise CannotPrepareError(f"its results are off by {error:.1e}")


def why_not_at_run_time(plain: Runner, signature: Signature, metadata: Metadata) -> str | None:
    """What CUDA lacks to run a model that it could load, None where nothing is known to be missing.

    ONNX Runtime 1.31 loads cuDNN when the first convolution runs.
    """
    try:
        plain.run(_small_image(signature, metadata), middle_alphas(signature, metadata)[0])
    except Exception as error:
        # Anything else is the model's own, such as sizes that it does not take: a call says so. Names of source files
        # have "cuda" in them as well.
        if re.search("cudnn|cublas|cuda", re.sub(r"\S*/\S+", "", str(error)), re.IGNORECASE):
            return f"it could not run the model ({first_line(error)}). {CUDA_REMEDY}"
    return None


def run_small(runner: Runner, signature: Signature, metadata: Metadata, *, tiny: bool) -> npt.NDArray[np.float32]:
    """What a model makes of a small image at a middle alpha, always the same; `tiny`: of one that takes no time.

    Of a model that takes large ones only nothing is asked.
    """
    x = _small_image(signature, metadata, _TINY_PIXELS if tiny else _PROBE_PIXELS)
    if x.size > _SMALL_VALUES:
        return np.zeros(1, np.float32)
    return runner.run(x, middle_alphas(signature, metadata)[0]).astype(np.float32)


def _small_image(signature: Signature, metadata: Metadata, least_pixels: int = _PROBE_PIXELS) -> npt.NDArray[Any]:
    """Noise of the smallest size that is worth a look, or of the one that the model takes."""
    low, high = metadata.value_range
    side = metadata.sizes.side(least_pixels)
    usual = (1, 3, side, side)
    shape = [fixed or default for fixed, default in zip(signature.shape, usual, strict=True)]
    return np.random.default_rng(0).uniform(low, high, shape).astype(signature.dtype)


def middle_alphas(signature: Signature, metadata: Metadata) -> Sequence[Key | None]:
    """Two; of several endpoints each has another share: equal ones would not tell them apart.

    Of a path one in each piece, where other endpoints have shares, none where they are alike. No two knobs are at one
    place.
    """
    if signature.alpha_name is None:
        return [None, None]
    path = metadata.alpha_path
    if path is not None or metadata.alpha_knobs:
        pieces = list(pairwise(metadata.alpha_range[::-1] if path is None else path.knots))
        found, count = 2 if path is None else len(pieces), metadata.alpha_count
        # No two alike, and none at an end of a piece.
        parts = [(0.31 + 0.46 * number) % 1 for number in range(found + count - 1)]
        places = [b + part * (a - b) for (a, b), part in zip(cycle(pieces), parts, strict=False)]
        return [tuple(places[start : start + count]) for start in range(found)]
    low, high = metadata.alpha_range
    count = signature.alpha_shape[0] if signature.alpha_shape else 1
    portions = np.arange(1, count + 1) / sum(range(count + 1))
    return [tuple((portions * (low + share * (high - low))).tolist()) for share in (0.31, 0.77)]
