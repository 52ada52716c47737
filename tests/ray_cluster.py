"""A real Ray cluster of two nodes on this machine, which listens on loopback only; `ray start`, as anybody would."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import psutil


class Cluster:
    """A head and one more node, of one CPU each."""

    # Of every process of the cluster, and of those that connect to it: no other addresses, and nobody else.
    environment: ClassVar = {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        head = ("--head", "--port", str(self.port), "--num-cpus", "1", "--include-dashboard", "false")
        self.nodes = [stack.enter_context(ray_node(*head))]
        until(lambda: answers(self.port))
        self.nodes.append(stack.enter_context(self.join()))

    def join(self, **environment: str) -> "contextlib.AbstractContextManager[psutil.Process]":
        """One more node, whose workers get `environment` on top of ours."""
        return ray_node("--address", self.address, "--num-cpus", "1", **environment)

    def workers(self) -> list[psutil.Process]:
        """The processes that hold a model now."""
        return [process for node in self.nodes for process in workers(node)]


@contextlib.contextmanager
def ray_node(*options: str, **environment: str) -> Iterator[psutil.Process]:
    """`ray start` in the foreground; what it started ends with it."""
    program = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--node-ip-address", "127.0.0.1"]
    common = ["--object-store-memory", str(80 * 2**20), "--disable-usage-stats"]
    silent = subprocess.DEVNULL
    env = os.environ | Cluster.environment | environment
    node = subprocess.Popen([*program, *common, *options], env=env, stdout=silent, stderr=silent)
    process = psutil.Process(node.pid)
    try:
        yield process
    finally:
        everything = family(process)
        node.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            node.wait(10)
        end(everything)
        node.wait()


def workers(root: psutil.Process) -> list[psutil.Process]:
    """Ray Data's workers among the processes that `root` started."""
    found = []
    for process in family(root):
        with contextlib.suppress(psutil.NoSuchProcess):
            if any("_Worker" in part for part in process.cmdline()):
                found.append(process)
    return found


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all that it started."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def end(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def until(condition: Callable[[], object], timeout_s: float = 60) -> None:
    limit = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)
