"""A running tritonserver: started, waited for, and stopped without leaving anything."""

import http.client
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dni_runtime import DniError, InputError

from .tritonserver import Tritonserver

_STOP_S = 30
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a server listens."""

    host: str
    http: int
    grpc: int
    metrics: int

    @property
    def reachable(self) -> str:
        """The host to connect to from this machine."""
        return "127.0.0.1" if self.host == "0.0.0.0" else self.host


def choose_addresses(host: str, port: int) -> Addresses:
    """`port` for HTTP and the two after it for gRPC and metrics; with 0, three that are free.

    Raises InputError where one is taken.
    """
    if port == 0:
        with socket.socket() as a, socket.socket() as b, socket.socket() as c:
            for free in (a, b, c):
                free.bind((host, 0))
            return Addresses(host, *(free.getsockname()[1] for free in (a, b, c)))
    for number in (port, port + 1, port + 2):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            try:
                probe.bind((host, number))
            except OSError as error:
                raise InputError(
                    f"port {number} on {host} cannot be used: {error.strerror}; choose another with --port "
                    "(it takes that one and the two after it, 0 for free ones)"
                ) from None
    return Addresses(host, port, port + 1, port + 2)


class Running:
    """A server process; a context manager that stops it, with all that it started."""

    def __init__(self, server: Tritonserver, arguments: Sequence[str], addresses: Addresses, log: Path | None) -> None:
        self.addresses = addresses
        self._log = log
        # Of the Python backend's shared memory, which a server that is killed leaves: as large as its largest images.
        self._prefix = f"dni_{secrets.token_hex(8)}_"
        output: Any = None if log is None else log.open("wb")
        try:
            # A session of its own: Ctrl-C in the terminal is ours, and everything in it can be ended together.
            self._process = subprocess.Popen(
                [
                    str(server.program),
                    *arguments,
                    f"--backend-config=python,shm-region-prefix-name={self._prefix}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=output if log is not None else sys.stderr.fileno(),
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
            )
        except OSError as error:
            raise DniError(f"{server.program} cannot be started: {error.strerror or error}") from None
        finally:
            if output is not None:
                output.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_ready(self, stop: Callable[[], bool]) -> bool:
        """Return True once all models are ready, False once `stop` does. Raises DniError where the server ends."""
        while not stop():
            if self._ready():
                return True
            self.check()
            time.sleep(_POLL_S)
        return False

    def check(self) -> None:
        """Raise DniError, with what the server said last, if it has ended."""
        if (how := self.how_it_ended()) is not None:
            first, *lines = self._reason()
            raise DniError(f"{how}{first}", *lines)

    def how_it_ended(self) -> str | None:
        """None while the server runs."""
        if (status := self._process.poll()) is None:
            return None
        return (
            f"tritonserver was ended by signal {-status}" if status < 0 else f"tritonserver ended with status {status}"
        )

    def wait(self, stop: Callable[[], bool]) -> None:
        """Return once `stop` does, or the server has ended by itself."""
        while not stop() and self._process.poll() is None:
            time.sleep(_POLL_S)

    def stop(self, patience_s: float = _STOP_S) -> None:
        """Let running requests finish, then end the server and whatever it has started."""
        try:
            if self._process.poll() is None:
                had_models = self._runs_models()
                self._process.send_signal(signal.SIGTERM)
                end = time.monotonic() + patience_s
                # Models are unloaded after the last answer; the server then takes two seconds more to end by itself.
                while self._process.poll() is None and time.monotonic() < end:
                    if had_models and not self._runs_models():
                        break
                    time.sleep(_POLL_S)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            for region in Path("/dev/shm").glob(f"{self._prefix}*"):
                region.unlink(missing_ok=True)

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _runs_models(self) -> bool:
        """Whether a process of the Python backend runs, each of which has a model; other backends have none."""
        for status in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has ended
                state, _, group, *_ = status.read_text(errors="replace").rpartition(")")[2].split()
                if int(group) == self._process.pid != int(status.parent.name) and state != "Z":
                    return True
        return False

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection(self.addresses.reachable, self.addresses.http, timeout=5)
        try:
            connection.request("GET", "/v2/health/ready")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _reason(self) -> list[str]:
        if self._log is None:
            return ["; its last words are above"]
        text = self._log.read_text(errors="replace")
        failures = re.findall(r"failed to load '[^']*' version \d+: (.*)", text)
        if failures:
            # "\n" stands for itself in the log, and is followed by a traceback.
            return [": " + re.split(r"\\n|\"$", failures[0].replace('\\"', "'"))[0]]
        lines = [line for line in text.splitlines() if line.strip()][-5:]
        return [":", *lines] if lines else [", without a word"]


def _environment() -> dict[str, str]:
    """The backend embeds the Python that it finds: this one, with its packages and its own library."""
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    library = Path(sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("LDLIBRARY") or "-")
    if library.suffix == ".so" and library.is_file():
        paths = [str(library.parent), environment.get("LD_LIBRARY_PATH", "")]
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, paths))
    return environment
