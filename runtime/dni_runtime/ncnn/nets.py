"""Nets of a few alphas: made when one is asked for, kept while there is room."""

import threading
from collections import OrderedDict

import numpy as np

from dni_runtime.alpha import Key
from dni_runtime.errors import InputError
from dni_runtime.prepared.blending import Blending
from dni_runtime.prepared.flat_weights import Prepared

from .form import Form
from .layers import FormError, blobs, ends, read_layers
from .net import FloatArray, Net, Pools
from .shapes import result_shape
from .weights import values_of

# So many alphas of the past are known again when they come back.
_REMEMBERED = 256
# What a net keeps for each of its weights: 3x3 kernels become 6x6 (Winograd). Real-CUGAN's 4.9 MiB take 17.6.
_COPIES = 4
_FLAG = np.zeros(1, np.float32)


class Nets:
    """Nets of one of a form's graphs, by alpha, the longest unused one given up first. Threads may share it.

    As with the weights of ONNX Runtime (WeightSets), an alpha's net is kept when it comes back after others; of the
    alphas that are there for the first time the last one's is. `alpha` is None for a model that has none.
    """

    def __init__(
        self, form: Form, graph: str, prepared: Prepared, *, pools: Pools, threads: int | None, limit_bytes: int
    ) -> None:
        self._form, self._prepared, self._pools, self._threads = form, prepared, pools, threads
        self._limit = max(1, limit_bytes // max(1, _COPIES * 4 * (prepared.total + len(prepared.fixed))))
        self._flat = np.empty(prepared.total, np.float32)
        self._fill = Blending(prepared).fill if prepared.total else _nothing
        self._layers = layers = read_layers(graph)
        self._graph, self._ends = graph, ends(layers)
        self._flagged = [blob.flagged for blob in blobs(layers)]
        self._checked: set[tuple[int, int, int]] = set()
        self._nets: OrderedDict[Key | None, Net] = OrderedDict()
        self._on_trial: Key | None = None
        self._seen: OrderedDict[Key | None, None] = OrderedDict()
        self._lock, self._making = threading.Lock(), threading.Lock()

    def check(self, image: tuple[int, int, int]) -> None:
        """Raise InputError unless every layer can take what it gets for an image (channels, height, width)."""
        if image in self._checked:
            return
        try:
            shape = result_shape(self._layers, image)
        except FormError as error:
            raise InputError(f"x has the shape {image}, which does not go through the model in ncnn: {error}") from None
        if len(shape) != len(image):
            raise InputError(f"x has the shape {image}, of which the model in ncnn makes one of {shape}, no image")
        if len(self._checked) >= _REMEMBERED:
            self._checked.clear()
        self._checked.add(image)

    def get(self, alpha: Key | None) -> Net:
        """The net for `alpha`, made if there is none. Raises ModelError where ncnn cannot load it."""
        if (net := self._known(alpha)) is not None:
            return net
        with self._making:  # whoever comes second with a new alpha waits for the first to make it
            if (net := self._known(alpha)) is None:
                net = self._make(alpha)
                given_up = self._keep(alpha, net)
                given_up.clear()
            return net

    def clear(self) -> None:
        """Forget all nets; calls that run with one finish."""
        with self._lock:
            given_up = [*self._nets.values()]
            self._nets.clear()
        given_up.clear()

    def _known(self, alpha: Key | None) -> Net | None:
        with self._lock:
            if (net := self._nets.get(alpha)) is not None:
                self._nets.move_to_end(alpha)
            return net

    def _make(self, alpha: Key | None) -> Net:
        if alpha is not None:
            self._fill(alpha, self._flat)
        values = values_of(self._form, self._prepared, self._flat)
        parts = [a for flagged, value in zip(self._flagged, values, strict=True) for a in [_FLAG] * flagged + [value]]
        return Net(self._graph, parts, self._ends, self._pools, self._threads)

    def _keep(self, alpha: Key | None, net: Net) -> list[Net]:
        """Keep `net`; returns those that make room for it, to be freed without the lock."""
        with self._lock:
            given_up = []
            comes_back = alpha in self._seen
            if not comes_back:
                if self._on_trial in self._nets:
                    given_up.append(self._nets.pop(self._on_trial))
                self._on_trial = alpha
            elif alpha == self._on_trial:
                self._on_trial = None
            self._seen[alpha] = None
            self._seen.move_to_end(alpha)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
            self._nets[alpha] = net
            while len(self._nets) > self._limit:
                given_up.append(self._nets.popitem(last=False)[1])
            return given_up


def _nothing(alpha: Key, flat: FloatArray) -> None:
    pass
