"""Encoding a film leaves the process, and what it starts, behind others on the machine as before."""

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from films import film
from onnx_models import save
from plain_to_see import returns_input

from dni_deploy import enhance_film
from dni_deploy.films.priority import kept_priority

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads are asked by Linux's own means")


def scheduling() -> set[tuple[int, int]]:
    """Policy and priority of all threads."""
    found = set()
    for thread in map(int, os.listdir("/proc/self/task")):
        with contextlib.suppress(ProcessLookupError):  # it has ended
            found.add((os.sched_getscheduler(thread), os.sched_getparam(thread).sched_priority))
    return found


@pytest.mark.parametrize("codec", ["h264", "h265", "vp9", "av1", "ffv1", "prores"])
def test_no_encoder_puts_itself_first(codec: str, tmp_path: Path):
    model, before = save(returns_input(), tmp_path / "model.onnx"), scheduling()
    during = set[tuple[int, int]]()
    output = tmp_path / "out.mkv"
    enhance_film(model, film("h264"), output, codec=codec, progress=lambda *_: during.update(scheduling()))
    assert during
    assert during | scheduling() == before == {(os.SCHED_OTHER, 0)}
    policy = subprocess.run(
        [sys.executable, "-c", "import os; print(os.sched_getscheduler(0))"], capture_output=True, text=True
    )
    assert int(policy.stdout) == os.SCHED_OTHER


def test_threads_that_end_meanwhile_are_left_alone():
    ending = threading.Event()

    def start_and_end() -> None:
        while not ending.is_set():
            thread = threading.Thread(target=lambda: None)
            thread.start()
            thread.join()

    starting = [threading.Thread(target=start_and_end) for _ in range(4)]
    for thread in starting:
        thread.start()
    try:
        for _ in range(200):
            with kept_priority():
                pass
    finally:
        ending.set()
        for thread in starting:
            thread.join()
    assert scheduling() == {(os.SCHED_OTHER, 0)}
