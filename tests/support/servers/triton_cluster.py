"""Two real tritonservers of one repository behind a real HAProxy, all on loopback."""

import csv
import json
import os
import random
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import tritonclient.http
from triton_server import Served, assert_gone, descendants, first_line, start
from triton_traffic import Traffic
from waiting import wait_until

from dni_deploy.ship.triton import Front, ServerAddress, ShipOptions, ship_triton
from dni_deploy.ship.triton.balancer.haproxy import HAPROXY_CFG
from dni_deploy.ship.triton.server.running import choose_addresses
from dni_runtime import InputError

HOST = "127.0.0.1"
OPTIONS = ShipOptions(backend="python", warmup=((32, 32),), threads=1)


def need_haproxy() -> str:
    """The program. Its absence fails continuous integration, see .ci/run."""
    program = shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")
    if program is None:
        pytest.skip("there is no haproxy: apt-get install haproxy")
    return program


def free_addresses(count: int) -> list[ServerAddress]:
    """Each with three ports that nobody has, below those that the system gives to clients, to be had again later."""
    while True:
        first = random.randrange(20000, 32000)
        addresses = [ServerAddress(HOST, first + 3 * number) for number in range(count)]
        try:
            for address in addresses:
                choose_addresses(address.host, address.port)
        except InputError:
            continue
        return addresses


@dataclass
class Member:
    """One tritonserver, started by `dni serve`; it may end and come back at the same address."""

    repository: Path
    address: ServerAddress
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = start(self.repository, "--port", self.address.port, "--model-control", "--json")

    def wait_until_ready(self) -> Served:
        assert self.process is not None
        line = first_line(self.process)
        assert line, self.process.communicate()[1]
        self.served = Served(json.loads(line), self.process)
        return self.served

    def stop(self) -> None:
        assert self.process is not None
        family = descendants(self.process)
        self.process.terminate()
        self.process.communicate(timeout=60)
        assert_gone(family)

    def ask_to_stop(self) -> None:
        if self.process is not None:
            self.process.terminate()

    def kill(self) -> tuple[float, float]:
        """SIGKILL for tritonserver, which nobody starts again; the time before, and that when it is gone for sure.

        With the processes of its models: they hold its sockets, and mostly, but not always, notice that it is gone.
        """
        assert self.process is not None
        family = descendants(self.process)
        self.process.kill()
        before = time.monotonic()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        wait_until(lambda: all(has_ended(process) for process in family))
        after = time.monotonic()
        self.process.communicate(timeout=60)
        return before, after

    def load(self, model: str) -> None:
        """Triton's own model control, at the server itself."""
        with tritonclient.http.InferenceServerClient(str(self.address), network_timeout=60) as client:
            client.load_model(model)


def has_ended(process: psutil.Process) -> bool:
    """With all its threads: until the last one has ended its sockets are open, though the process is a zombie."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True


@dataclass
class Cluster:
    """`folder` is where HAProxy runs, and where its socket is."""

    folder: Path
    repository: Path
    front: ServerAddress
    members: list[Member] = field(default_factory=list)

    def stop(self) -> None:
        for member in self.members:
            member.ask_to_stop()
        for member in self.members:
            member.stop()

    def traffic(self) -> Traffic:
        return Traffic(str(self.front), self.front.at(1))

    def ask(self, command: str) -> str:
        """HAProxy's answer on its socket."""
        # By its folder's descriptor: the path of a socket has 107 bytes at most, folders may have more.
        with ExitStack() as stack:
            folder = os.open(self.folder, os.O_RDONLY)
            stack.callback(os.close, folder)
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(f"/proc/self/fd/{folder}/haproxy.sock")
            connection.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def status(self, backend: str, number: int) -> dict[str, str]:
        """What "show stat" tells of a server."""
        rows = csv.DictReader(self.ask("show stat").removeprefix("# ").splitlines())
        return next(row for row in rows if (row["pxname"], row["svname"]) == (backend, f"triton{number + 1}"))

    def is_up(self, number: int) -> bool:
        return self.status("triton_http", number)["status"].startswith("UP")

    def answered(self, number: int) -> int:
        """Clients' requests that a server was given so far; HAProxy's own questions are none."""
        return sum(int(self.status(backend, number)["stot"]) for backend in ("triton_http", "triton_grpc"))

    def sessions(self, number: int) -> int:
        """Requests that a server works on now."""
        return sum(int(self.status(backend, number)["scur"]) for backend in ("triton_http", "triton_grpc"))


@contextmanager
def cluster(model: Path, folder: Path, *, checked: bool = True) -> Iterator[Cluster]:
    """Everything up; afterwards everything gone. Not `checked`: HAProxy never notices that a server is down."""
    program = need_haproxy()
    *servers, front = free_addresses(3)
    repository = folder / "repo"
    report = ship_triton([model], repository, OPTIONS, haproxy=Front(tuple(servers), front))
    assert report.notes == ()
    if not checked:
        config = repository / HAPROXY_CFG
        config.write_text(re.sub(r" track \S+|    default-server (check|observe) .*\n", "", config.read_text()))
    running = Cluster(folder, repository, front, [Member(repository, address) for address in servers])
    with ExitStack() as stack:
        stack.callback(running.stop)
        for member in running.members:
            member.start()
        for member in running.members:
            member.wait_until_ready()
        log = stack.enter_context((folder / "haproxy.log").open("wb"))
        haproxy = subprocess.Popen(
            [program, "-W", "-f", repository / "haproxy.cfg"], cwd=folder, stdout=log, stderr=log
        )
        stack.callback(haproxy.wait, 20)
        stack.callback(haproxy.terminate)
        wait_until((folder / "haproxy.sock").exists)
        wait_until(lambda: not checked or (running.is_up(0) and running.is_up(1)))
        yield running
