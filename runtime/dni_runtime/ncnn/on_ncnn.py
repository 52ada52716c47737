"""Run a model in ncnn: a net with the weights of the call's alpha, one image at a time."""

import threading
from pathlib import Path

import numpy as np
import onnx

from dni_runtime.alpha import Key
from dni_runtime.errors import InputError
from dni_runtime.sizes import Sizes

from .form import Form
from .net import FloatArray, Pools
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
        self._form, self._prepared = form, prepare_form(slim, folder, form)
        self._threads, self._limit = threads, limit_bytes // len(form.graphs)
        self._nets: dict[str, Nets] = {}
        self._pools, self._lock = Pools(), threading.Lock()

    def run(self, x: FloatArray, alpha: Key | None) -> FloatArray:
        """The network's output for float32 (N, C, H, W)."""
        net = self._nets_of(*x.shape[1:]).get(alpha)
        return np.stack([net.run(image) for image in x])

    def takes(self, height: int, width: int) -> bool:
        """Whether the form has a graph for images of this size."""
        return self._form.graph_for(height, width) is not None

    def multiple_for(self, sizes: Sizes) -> int:
        """See `Form.multiple_for`."""
        return self._form.multiple_for(sizes)

    def forget(self) -> None:
        """Free the nets; calls that run finish."""
        with self._lock:
            nets = [*self._nets.values()]
        for each in nets:
            each.clear()
        self._pools.clear()

    def settle(self, timeout_s: float | None) -> bool:
        """Nothing to wait for: a call makes the net that it needs, and the next one with its alpha finds it."""
        return True

    def close(self) -> None:
        """Free the nets; calls that run finish."""
        self.forget()

    def _nets_of(self, channels: int, height: int, width: int) -> Nets:
        """The nets for images of a size. Raises InputError for one that the form is not for."""
        if (graph := self._form.graph_for(height, width)) is None:
            raise InputError(
                f"x has height and width {height}x{width}; the model's form for ncnn is for {self._form}. Pad x, "
                "use enhance(), which does so by itself, or another provider, such as cpu"
            )
        with self._lock:
            if graph not in self._nets:
                self._nets[graph] = Nets(
                    self._form, graph, self._prepared, pools=self._pools, threads=self._threads, limit_bytes=self._limit
                )
            nets = self._nets[graph]
        nets.check((channels, height, width))
        return nets
