"""A real Ray cluster of two nodes on this machine, on loopback addresses only."""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # no other addresses: see import_ray_for
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Of every process of the cluster, and of those that connect to it."""


class Cluster:
    """A head and one more node, of one CPU each."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        program = [sys.executable, str(Path(__file__).with_name("ray_nodes.py"))]
        self._nodes = subprocess.Popen(
            program, env=os.environ | ENVIRONMENT, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )
        self.address = self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        everything = family(self._nodes.pid)
        self._nodes.stdin.close()
        self._nodes.stdout.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._nodes.wait(15)
        for process in everything:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._nodes.wait()

    @contextlib.contextmanager
    def one_more_node(self, **environment: str) -> Iterator[None]:
        """Its workers get `environment` on top of ours."""
        self._order(environment)
        yield
        self._order(None)

    def workers(self, *, busy: bool = False) -> list[psutil.Process]:
        return workers(self._nodes.pid, busy=busy)

    def _order(self, order: object) -> None:
        self._nodes.stdin.write(json.dumps(order) + "\n")
        self._nodes.stdin.flush()
        assert self._answer() == "done"

    def _answer(self) -> str:
        answer = self._nodes.stdout.readline().strip()
        assert answer, "the cluster did not start"
        return answer


def workers(root: int, *, busy: bool = False) -> list[psutil.Process]:
    """The processes that `root` started and that hold a model (and work on a frame); Ray titles them accordingly."""
    found = []
    for process in family(root):
        with contextlib.suppress(psutil.NoSuchProcess):
            title = " ".join(process.cmdline())
            if "_Worker" in title and (".submit" in title if busy else "__init__" not in title):
                found.append(process)
    return found


def family(root: int) -> list[psutil.Process]:
    """A process and all that it started."""
    try:
        process = psutil.Process(root)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
