"""Whose turn it is among tests beside each other (pytest -n): one marked `alone` runs while no other does."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Locks that nobody has when their process ends, however it does; on files that are there in any case.
GATE, RUNNING = Path(__file__), Path(__file__).parents[2] / "conftest.py"

# What takes longest comes first, so that no process is left with it when the others have finished. What is `alone`
# comes last; a file of it that takes long holds nothing else, which would wait for its turn.
LONGEST = (
    "test_ray",
    "test_torch_free",
    "test_serve_endings",
    "test_web_page",
    "test_hostile_served",
    "test_haproxy_servers",
    "test_web_page_controls",
    "test_parity",
    "test_documents_run",
    "test_hostile_benchmark",
    "test_files_of_one_network",
    "test_random_networks",
    "test_web_dni_calls",
    "test_web_dni",
    "test_hostile_web_networks",
    "test_web_page_files",
    "test_alpha_is_free",
    "test_serve",
    "test_ship_batches",
    "test_extras",
    "test_hostile_web_page",
    "test_demo",
    "test_hostile_terminal",
    "test_alpha_policy",
    "test_fit",
    "test_interruption",
    "test_ship_server",
    "test_conftest",
    "test_device_batch",
    "test_hostile_leftovers",
    "test_cli_bench",
    "test_delta",
)


def rank(name: str) -> int:
    """When a file of tests has its turn."""
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


@contextmanager
def turn(*, alone: bool) -> Iterator[None]:
    """Wait until no test runs that is `alone`, and with `alone` until none runs at all."""
    import fcntl  # here: Windows has none, and no need for it without -n

    with GATE.open() as gate, RUNNING.open() as running:
        fcntl.flock(gate, fcntl.LOCK_EX)  # whoever waits behind it keeps the next ones from starting
        fcntl.flock(running, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        try:
            yield
        finally:
            # By hand: closing is not enough where a test has forked a process that is still there.
            fcntl.flock(running, fcntl.LOCK_UN)


@contextmanager
def one_after_the_other(path: Path) -> Iterator[None]:
    """For what the processes of a run make only once; the file `path` is made, too."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
