"""Whether a model is laid out, and whether it answers as ONNX Runtime does with the file as it is."""

from pathlib import Path
from typing import Any

import numpy as np
from exporting import FloatArray, assert_close, photo, run

from dni_runtime import load

LAID_OUT = "weights are blended in ONNX Runtime's own layout when alpha changes"
ALPHAS = (0.0, 0.31, 0.5, 0.77, 1.0)
# Not the size of the check at load; multiples of 4 for the U-Net.
IMAGE = photo(2, 3, 28, 12)


def assert_laid_out(path: Path, x: FloatArray = IMAGE, alphas: tuple[Any, ...] = ALPHAS) -> None:
    """It is, and computes what plain ONNX Runtime does."""
    with load(path, "cpu", alpha_policy="dynamic") as model:
        assert model.alpha_note == LAID_OUT
        for alpha in alphas:
            assert_close(model(x, alpha), run(path, x, alpha))


def assert_plain(path: Path, reason: str, x: FloatArray = IMAGE) -> None:
    with load(path, "cpu", alpha_policy="dynamic") as model:
        assert model.alpha_note == f"the graph blends the weights with every call ({reason})"
        for alpha in ALPHAS:
            np.testing.assert_array_equal(model(x, alpha), run(path, x, alpha))
