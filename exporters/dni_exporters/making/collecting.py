"""Garbage collection by hand, for work that makes millions of objects and knows when they are garbage."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def collecting_by_hand() -> Iterator[Callable[[], object]]:
    """Turn automatic collection off and yield a cheap `collect`.

    A trace leaves hundreds of thousands of objects in cycles, and a graph is a cycle that holds a whole
    set of weights; both go at the next `collect`. Python's own passes over them took a tenth of a large
    network's trace. What survives once is left out of later searches, unless a host has frozen objects
    of its own, which must not be thawed here.
    """
    enabled, ours = gc.isenabled(), gc.get_freeze_count() == 0

    def collect() -> None:
        gc.collect()
        if ours:
            gc.freeze()

    gc.disable()
    if ours:
        gc.freeze()
    try:
        yield collect
    finally:
        if ours:
            gc.unfreeze()
        if enabled:
            gc.enable()
