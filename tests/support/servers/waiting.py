"""Waiting for something to happen elsewhere: in another process, on disk, behind a socket."""

import time
from collections.abc import Callable


def wait_until(happened: Callable[[], object], timeout_s: float = 60) -> None:
    """Asks every 20 ms; the test fails where it does not come true in `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline, f"nothing happened in {timeout_s} s"
        time.sleep(0.02)
