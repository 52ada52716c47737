"""A process for each network: a CUDA context that dies takes only this network's later cases with it."""

import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from jobs import Job, rounds_share

Record = dict[str, Any]
_DONE = "done"


@dataclass(frozen=True, slots=True)
class Setup:
    """What a process works on. `folder`: for all that is written. `without`: approaches that are left out.
    `seconds`: of rounds for the most important cases, see `rounds_share`."""

    network: str
    source: Path
    tiny: bool
    device: str
    folder: Path
    without: tuple[str, ...]
    sizes: tuple[int, ...]
    seconds: float
    photo: tuple[int, int, int]
    dtypes: tuple[str, ...] = ("float16", "float32")


class Worker:
    """The parent's end of one. Ready when `records` of no request have ended."""

    def __init__(self, setup: Setup) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would inherit CUDA
        self.network = setup.network
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, setup))
        self._process.start()
        theirs.close()
        self.alive = True

    def ask(self, request: Any) -> None:
        with suppress(OSError):
            self.connection.send(request)

    def records(self, until: float) -> Iterator[Record]:
        """What the process answers to one request; it is ended where that takes longer than `until`."""
        while self.alive:
            if not self.connection.poll(max(0.0, until - time.monotonic())):
                yield {"kind": "failed", "network": self.network, "error": "cut short: no time was left"}
                self.end()
                return
            try:
                record = self.connection.recv()
            except (EOFError, OSError):
                self._process.join(2)
                self.end()
                code = self._process.exitcode
                yield {"kind": "failed", "network": self.network, "error": f"the process died, exit status {code}"}
                return
            if record == _DONE:
                return
            yield record

    def end(self) -> None:
        """End the process and what it started."""
        self.alive = False
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(self._process.pid or 0) == self._process.pid:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()


def _serve(connection: Connection, setup: Setup) -> None:
    os.setsid()  # compilers are ended with us
    os.environ.setdefault("DNI_CACHE_DIR", "")  # every load is a first one
    # Imports take seconds, and all networks' processes do theirs at the same time.
    from endpoints import build, make_endpoints
    from files import write_files
    from lineup import Lineup
    from way import Device, exact_float32

    folder = Path(tempfile.mkdtemp(dir=setup.folder))
    without = set(setup.without)
    with exact_float32():
        a, b = make_endpoints(build(setup.network, tiny=setup.tiny))
        lineups = {}
        for dtype in setup.dtypes:
            files = write_files(setup.source, folder, setup.network, dtype, a, b)
            lineups[dtype] = Lineup(setup.network, dtype, files, a, b, setup.tiny, Device(setup.device), without)
            connection.send({"kind": "files", **lineups[dtype].where, "note": files.note})
        connection.send(_DONE)
        state: dict[str, Any] = {}
        while True:  # until the parent ends this process
            try:
                job, more = connection.recv()
            except EOFError:  # the parent was ended itself
                return
            try:
                for record in _answer(job, more, lineups[job.dtype], setup, state):
                    connection.send(record)
            except BrokenPipeError:
                return
            except Exception as error:
                about = {"network": setup.network, "dtype": job.dtype, "size": job.size, "step": job.kind}
                connection.send({"kind": "failed", **about, "error": f"{type(error).__name__}: {str(error)[:600]}"})
                if setup.device == "cuda" and not Device("cuda").works():
                    return  # an error of CUDA stays: a new process takes over
            connection.send(_DONE)


def _answer(job: Job, more: Any, lineup: Any, setup: Setup, state: dict[str, Any]) -> Iterator[Record]:
    from case import run_case
    from compiling import Compiling
    from photo import run_photo

    small, main, large = setup.sizes[0], setup.sizes[len(setup.sizes) // 2], setup.sizes[-1]
    if job.kind == "case":
        seconds = setup.seconds * rounds_share(job, setup.sizes)
        yield from run_case(lineup, job.size, seconds, smallest=job.size == small, main=job.size == main)
        if job.size == large:
            lineup.close()  # its large buffers are in the way of the next one's
    elif job.kind == "photo":
        yield from run_photo(lineup, *setup.photo)
    elif job.kind == "compile":
        baked, parts, limit = more
        state["compiling"] = Compiling(lineup, job.size, Path(tempfile.mkdtemp(dir=setup.folder)))
        yield from state["compiling"].compile(baked, parts, limit)
    elif job.kind == "measure":
        yield from state["compiling"].measure(setup.seconds)
