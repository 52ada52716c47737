"""Whose turn it is on CUDA: one call of ours at a time, on at most two threads of the process.

ONNX Runtime's CUDA graphs and its cuBLAS and cuDNN handles belong to the thread that made them, and stay when it ends
(onnxruntime/core/providers/cuda/cuda_execution_provider.cc, PerThreadContext): with a thread for every request memory
would grow without bound. And while one thread captures a graph, another's allocation fails and breaks the capture.
So the first thread that comes works itself, without a detour, and all others through one more.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_lock = threading.RLock()
# In the thread itself, not by its number: the system gives numbers of threads that ended to new ones.
_mine = threading.local()
_taken = threading.Event()


def in_turn(call: Callable[[], T]) -> T:
    """Return what `call` returns, or raise what it raises, while nothing else of ours uses CUDA."""
    if not getattr(_mine, "works", False) and not _claim():
        return _others.submit(_in_turn, call).result()
    return _in_turn(call)


def _in_turn(call: Callable[[], T]) -> T:
    with _lock:
        return call()


def _claim() -> bool:
    """Make this thread the one that works itself, if there is none."""
    with _lock:
        if _taken.is_set():
            return False
        _taken.set()
        _mine.works = True
        return True


def _begin() -> None:
    _mine.works = True


_others = ThreadPoolExecutor(1, "dni-cuda", initializer=_begin)
