"""A real tritonserver: where it is, how it is started, and how it is stopped without leaving anything."""

import http.client
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dni_runtime import DniError, InputError

_CONTAINER = Path("/opt/tritonserver")
_IN_WHEEL = Path("pytriton", "tritonserver")
_STUB = "triton_python_backend_stub"
_STOP_S = 30
_POLL_S = 0.1

HOW_TO_GET_ONE = (
    "no tritonserver was found (on PATH, in /opt/tritonserver, in the nvidia-pytriton package). Run this inside "
    "NVIDIA's container (docker run --rm -it --network host --shm-size 1g nvcr.io/nvidia/tritonserver:XX.YY-py3, then "
    'pip install "dni-deploy[triton]"), or without a container: pip install nvidia-pytriton "numpy<2", which carries '
    "a server with the Python backend. One that lies elsewhere is named with --server"
)


@dataclass(frozen=True, slots=True)
class Tritonserver:
    """An installed server: the program, its backends, and its cache implementations."""

    program: Path
    backends: Path
    caches: Path

    def has_backend(self, backend: str) -> bool:
        return (self.backends / backend).is_dir()


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a server listens."""

    host: str
    http: int
    grpc: int
    metrics: int


def find_tritonserver(place: Path | None = None) -> Tritonserver:
    """The server at `place` (the program, its installation, or a Python environment), else the first that is found.

    Raises DniError, with how to get one, where there is none.
    """
    if place is not None:
        if (found := next((path for path in _programs(place) if path.is_file()), None)) is None:
            raise InputError(f"{place} holds no tritonserver; expected the program, its folder or a Python environment")
        return _installation(found)
    if on_path := shutil.which("tritonserver"):
        return _installation(Path(on_path))
    folders = [_CONTAINER]
    if (spec := importlib.util.find_spec(_IN_WHEEL.parts[0])) and spec.submodule_search_locations:
        folders += [Path(location, *_IN_WHEEL.parts[1:]) for location in spec.submodule_search_locations]
    for folder in folders:
        if (program := folder / "bin" / "tritonserver").is_file():
            return _installation(program)
    raise DniError(HOW_TO_GET_ONE)


def _programs(place: Path) -> list[Path]:
    in_environment = sorted(place.glob(f"lib/python3*/site-packages/{_IN_WHEEL}/bin/tritonserver"))
    return [place, place / "bin" / "tritonserver", place / "tritonserver", *in_environment]


def _installation(program: Path) -> Tritonserver:
    program = program.resolve()
    root = program.parent.parent
    if not (root / "backends").is_dir() and (_CONTAINER / "backends").is_dir():
        root = _CONTAINER
    return Tritonserver(program, root / "backends", root / "caches")


def python_backends(server: Tritonserver, folder: Path) -> Path:
    """The folder of backends for this Python; one made in `folder` where the wheel has a stub for each version.

    Raises DniError where the server's Python backend runs another version than the one that dni runs in.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    installed = server.backends / "python"
    if not installed.is_dir():
        raise DniError(f"{server.program} has no Python backend; expected {installed}")
    if (stub := installed / _STUB).is_file():
        built_for = re.search(rb"libpython(\d+\.\d+)\.so", stub.read_bytes())
        if built_for and built_for[1].decode() != version:
            raise DniError(
                f"the Python backend of {server.program} runs Python {built_for[1].decode()}, and this is Python "
                f"{version}: install dni-deploy with that Python, and run dni serve from there"
            )
        return server.backends
    stub = server.backends.parent / "python_backend_stubs" / version / _STUB
    if not stub.is_file():
        raise DniError(f"{server.program} has no Python backend for Python {version}; expected {stub}")
    # Links, since both find their libraries by where they really lie.
    made = folder / "python"
    made.mkdir(parents=True)
    for file in [*installed.iterdir(), stub]:
        (made / file.name).symlink_to(file.resolve())
    return folder


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
        output: Any = None if log is None else log.open("wb")
        try:
            # A session of its own: Ctrl-C in the terminal is ours, and everything in it can be ended together.
            self._process = subprocess.Popen(
                [str(server.program), *arguments],
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

    def wait_until_ready(self) -> None:
        """Return once all models are ready. Raises DniError where the server ends before that."""
        while not self._ready():
            self.check()
            time.sleep(_POLL_S)

    def check(self) -> None:
        """Raise DniError, with what the server said last, if it has ended."""
        if (status := self._process.poll()) is not None:
            how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
            raise DniError(f"tritonserver {how}{self._reason()}")

    def wait(self) -> None:
        """Return never: until the server ends (DniError) or an exception comes by a signal."""
        while True:
            self.check()
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """Let running requests finish, then end the server and whatever it has started."""
        try:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)
                self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _ready(self) -> bool:
        host = "127.0.0.1" if self.addresses.host == "0.0.0.0" else self.addresses.host
        connection = http.client.HTTPConnection(host, self.addresses.http, timeout=5)
        try:
            connection.request("GET", "/v2/health/ready")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _reason(self) -> str:
        if self._log is None:
            return "; its last words are above"
        text = self._log.read_text(errors="replace")
        failures = re.findall(r"failed to load '[^']*' version \d+: (.*)", text)
        if failures:
            # "\n" stands for itself in the log, and is followed by a traceback.
            return ": " + re.split(r"\\n|\"$", failures[0].replace('\\"', "'"))[0]
        lines = [line for line in text.splitlines() if line.strip()][-5:]
        return ":\n" + "\n".join(lines) if lines else ", without a word"


def _environment() -> dict[str, str]:
    """The backend embeds the Python that it finds: this one, with its packages and its own library."""
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    library = Path(sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("LDLIBRARY") or "-")
    if library.suffix == ".so" and library.is_file():
        paths = [str(library.parent), environment.get("LD_LIBRARY_PATH", "")]
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, paths))
    return environment


def supports(server: Tritonserver, option: str) -> bool:
    """Whether the program knows a command-line option, such as "http-max-input-size" (from 25.08 on)."""
    try:
        told = subprocess.run([server.program, "--help"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return f"--{option}" in told.stdout + told.stderr
