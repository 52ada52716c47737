"""A real tritonserver, started by `dni serve` in an environment of its own, and the memory that it takes."""

import contextlib
import json
import os
import select
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from case import Place

ENVIRONMENT = Path(os.environ.get("DNI_TRITON_ENV") or Path(__file__).resolve().parents[2] / ".venv-triton")
_START_S = 120
_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class Server:
    """Its addresses, and the process of `dni serve`, which starts everything else, and starts it again."""

    http: str
    grpc: str
    pid: int

    def resident_mb(self) -> float:
        total = 0.0
        with contextlib.suppress(psutil.Error):
            server = psutil.Process(self.pid)
            for process in (server, *server.children(recursive=True)):
                total += process.memory_info().rss / 2**20
        return total


class Peak:
    """The highest resident memory of a server while the block runs; what it takes may be gone when it answers."""

    def __init__(self, server: Server) -> None:
        self._server, self._done, self.mb = server, threading.Event(), 0.0

    def __enter__(self) -> "Peak":
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(_LOOK_S):
            self.mb = max(self.mb, self._server.resident_mb())


@contextmanager
def serving(model: Path, place: Place) -> Iterator[Server]:
    command = [str(ENVIRONMENT / "bin" / "dni"), "serve", str(model), "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=place.outputs,
                               env=os.environ | {"TMPDIR": str(place.temporary),
                                   "HOME": str(place.temporary)})  # fmt: skip
    assert process.stdout is not None
    try:
        readable, _, _ = select.select([process.stdout], [], [], _START_S)
        line = process.stdout.readline() if readable else ""
        if not line:
            process.kill()
            raise RuntimeError(f"the server did not start: {process.communicate()[1]}")
        told = json.loads(line)
        yield Server(told["http"], told["grpc"], process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
