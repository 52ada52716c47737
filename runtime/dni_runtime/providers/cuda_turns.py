"""Whose turn it is on CUDA: one call of ours at a time, on at most two threads of the process.

ONNX Runtime's CUDA graphs and its cuBLAS and cuDNN handles belong to the thread that made them, and stay when it ends
(onnxruntime/core/providers/cuda/cuda_execution_provider.cc, PerThreadContext): with a thread for every request memory
would grow without bound. And while one thread captures a graph, another's allocation fails and breaks the capture.
So the first thread that comes works itself, without a detour, and all others through one more.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.RLock()
# In the thread itself, not by its number: the system gives numbers of threads that ended to new ones.
_mine = threading.local()
_taken = threading.Event()
_others: "SimpleQueue[_Call]" = SimpleQueue()


def in_turn(call: Callable[[], T]) -> T:
    """Return what `call` returns, or raise what it raises, while nothing else of ours uses CUDA."""
    if getattr(_mine, "works", False) or _claim():
        with _lock:
            return call()
    handed = _Call(call)
    _others.put(handed)
    result: T = handed.wait()
    return result


class _Call:
    """A call that another thread makes."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._done = threading.Event()
        self._result: Any = None
        self._error: BaseException | None = None

    def make(self) -> None:
        try:
            with _lock:
                self._result = self._call()
        except BaseException as error:  # it belongs to the thread that waits
            self._error = error
        self._done.set()

    def wait(self) -> Any:
        self._done.wait()
        if self._error is not None:
            try:
                raise self._error
            finally:
                del self  # an error that holds the frame that holds it would wait for the collector
        return self._result


def _claim() -> bool:
    """Make this thread the one that works itself, if there is none; and start the other one."""
    with _lock:
        if _taken.is_set():
            return False
        _taken.set()
        _mine.works = True
        # Not concurrent.futures, which fails in threads that outlive the main one (python/cpython#148280). A daemon:
        # it waits for work for as long as the process lives.
        threading.Thread(target=_work, name="dni-cuda", daemon=True).start()
        return True


def _work() -> None:
    _mine.works = True
    while True:
        _others.get().make()
