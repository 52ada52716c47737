"""Encoders that put themselves before everything else on the machine."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def kept_priority() -> Iterator[None]:
    """All threads of this process are scheduled afterwards as they were, and new ones as this one.

    SVT-AV1, run as root, gives its threads and the one that opens it real-time priority (SCHED_FIFO, 99). What they
    start inherits it, a whole machine may stand still for it, and it stays when the encoder has ended.
    """
    if sys.platform != "linux":
        yield
        return
    own, before = _scheduling(), _of_threads()
    try:
        yield
    finally:
        for thread, now in _of_threads().items():
            if now != (usual := before.get(thread, own)):
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setscheduler(thread, usual[0], os.sched_param(usual[1]))


def _of_threads() -> dict[int, tuple[int, int]]:
    """Of all threads of this process, but for those that end while it is looked."""
    found = {}
    for entry in Path("/proc/self/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            found[int(entry.name)] = _scheduling(int(entry.name))
    return found


def _scheduling(thread: int = 0) -> tuple[int, int]:
    """Policy and priority of a thread, 0 for the one that asks."""
    return os.sched_getscheduler(thread), os.sched_getparam(thread).sched_priority
