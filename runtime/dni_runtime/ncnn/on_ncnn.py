"""Run a model in ncnn: a net with the weights of the call's alpha, one image at a time."""

from pathlib import Path

import numpy as np
import onnx

from dni_runtime.alpha import Key

from .form import Form
from .net import FloatArray
from .nets import Nets
from .weights import prepare_form


class OnNcnn:
    """A model with a form for ncnn. Threads may share it.

    `folder`: where the external data of `slim` lies. `threads`: for one operator, None for ncnn's choice.
    `limit_bytes`: for nets of alphas that were used before.

    Raises CannotPrepareError where the form is not the model's.
    """

    note = "weights are blended in ncnn's order when alpha changes, for a net of its own"

    def __init__(
        self, slim: onnx.ModelProto, folder: Path, form: Form, *, threads: int | None, limit_bytes: int
    ) -> None:
        self._nets = Nets(form, prepare_form(slim, folder, form), threads, limit_bytes)

    def run(self, x: FloatArray, alpha: Key | None) -> FloatArray:
        """The network's output for float32 (N, C, H, W)."""
        net = self._nets.get(alpha)
        return np.stack([net.run(image) for image in x])

    def forget(self) -> None:
        """Free the nets; calls that run finish."""
        self._nets.clear()

    def settle(self, timeout_s: float | None) -> bool:
        """Nothing to wait for: a call makes the net that it needs, and the next one with its alpha finds it."""
        return True

    def close(self) -> None:
        """Free the nets; calls that run finish."""
        self._nets.clear()
