"""The optimized graph as sessions: for a call that has the cores for itself, and for calls that share them."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from dni_runtime.weights.names import ENDPOINTS, SHARES

from .blending import open_as_it_is, shapes_of
from .flat_weights import BLENDING, RESULT, require


class Body:
    """Sessions of one graph, which holds no weights: a second one costs what its tensors between layers take.

    Calls that share a session share its threads, and wait for each other's by spinning. So where as many calls run at
    once as there are threads, each runs on one thread, in another session: with two callers on two threads networks
    were measured to answer 1.25 to 1.4 times as many requests a second. A call alone has all threads.

    `weights`: their shapes by name. `threads`: for one operator, None for ONNX Runtime's choice, which is one for each
    physical core.
    """

    def __init__(self, graph: bytes, threads: int | None) -> None:
        """Raises ValueError unless the graph can both blend and run, and what ONNX Runtime raises."""
        self._graph = graph
        self._shared = open_as_it_is(graph, threads)
        inputs = self._shared.get_inputs()
        self.weights = shapes_of(inputs[1:-3])
        require([value.name for value in inputs[-3:]] == [BLENDING, SHARES, ENDPOINTS])
        require([value.name for value in self._shared.get_outputs()] == [RESULT])
        self._single: Any = self._shared if threads == 1 else None
        self._crowd = max(2, min(threads or _cores(), _cores()))
        self._running = 0
        self._lock, self._making = threading.Lock(), threading.Lock()
        self.image: str = self._shared.get_inputs()[0].name
        self.output: str = self._shared.get_outputs()[0].name

    def any_image(self) -> npt.NDArray[np.float32]:
        """One that the graph takes, as small as may be."""
        sizes = (size if isinstance(size, int) else 1 for size in self._shared.get_inputs()[0].shape)
        return np.zeros(tuple(sizes), np.float32)

    @contextmanager
    def session(self) -> Iterator[Any]:
        """The session for one call, which lasts as long as the with block."""
        with self._lock:
            self._running += 1
            crowded = self._running >= self._crowd
        try:
            yield self._on_one_thread() if crowded else self._shared
        finally:
            with self._lock:
                self._running -= 1

    def _on_one_thread(self) -> Any:
        """Made by the first call that wants it; no other waits for that."""
        if self._single is None and self._making.acquire(blocking=False):
            try:
                self._single = self._single or open_as_it_is(self._graph, 1)
            finally:
                self._making.release()
        return self._single or self._shared


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
