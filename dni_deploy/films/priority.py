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
    before = {thread: _scheduling(thread) for thread in _threads()}
    own = _scheduling(0)
    try:
        yield
    finally:
        for thread in _threads():
            with contextlib.suppress(OSError):  # it has ended
                if _scheduling(thread) != (usual := before.get(thread, own)):
                    os.sched_setscheduler(thread, usual[0], os.sched_param(usual[1]))


def _threads() -> list[int]:
    return [int(entry.name) for entry in Path("/proc/self/task").iterdir()]


def _scheduling(thread: int) -> tuple[int, int]:
    return os.sched_getscheduler(thread), os.sched_getparam(thread).sched_priority
