"""One thing done in a process of its own, forked from one in which all is imported; what became of it."""

import contextlib
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from case import Place
from outcome import EXECUTED, HANG, MEMORY, READ, TRACEBACK, WRITTEN
from watch import Bait, watch_python

# Whoever takes so many times the memory that is allowed is not waited for: others run on this machine.
_KILL = 2.0
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What an action found out about itself: a result and a detail as in Outcome."""

    result: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an input may take: time on the clock, and the highest resident memory of the process."""

    seconds: float = 20.0
    mb: float = 1500.0


@dataclass(frozen=True, slots=True)
class Attempt:
    answer: Answer
    seconds: float
    peak_mb: float


_LIMITS = Limits()
Action = Callable[[Place, Path], Answer]


def attempt(
    action: Action, place: Place, file: Path, readable: Sequence[Path] = (), limits: Limits = _LIMITS
) -> Attempt:
    """Run `action(place, file)` and see what it does; a hang is tried once more, since the machine may be busy."""
    tried = _once(action, place, file, readable, limits)
    if tried.answer.result == HANG:
        place.clear_outputs()
        tried = _once(action, place, file, readable, limits)
    return tried


def _once(action: Action, place: Place, file: Path, readable: Sequence[Path], limits: Limits) -> Attempt:
    bait, before = Bait(place.baits), place.snapshot()
    reader, writer = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _be_the_child(action, place, file, readable, writer)
    os.close(writer)
    try:
        told, status, peak_mb, ending = _wait(child, reader, started + limits.seconds, _KILL * limits.mb)
    finally:
        os.close(reader)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)  # what it has started itself
    seconds = time.monotonic() - started
    opened = bait.opened()
    bait.close()
    answer = _judge(told, status, ending, peak_mb, limits)
    changed = sorted(_differences(before, place.snapshot()))
    if place.executed.exists():
        answer = Answer(EXECUTED, "the payload ran")
    elif changed and answer.result != EXECUTED:
        answer = Answer(WRITTEN, f"{Path(changed[0]).name} was made or changed, {len(changed)} in all")
    elif opened and answer.result not in (EXECUTED, WRITTEN):
        answer = Answer(READ, f"{opened} was opened")
    elif (leak := place.leaks()) and answer.result not in (EXECUTED, WRITTEN):
        answer = Answer(READ, f"{leak} holds what must not be read")
    return Attempt(answer, seconds, peak_mb)


def _differences(before: dict[str, tuple[int, ...]], after: dict[str, tuple[int, ...]]) -> set[str]:
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def _judge(told: list[dict[str, str]], status: int, ending: str, peak_mb: float, limits: Limits) -> Answer:
    broken = [Answer(line["fault"], line["detail"]) for line in told if "fault" in line]
    answers = [Answer(line["result"], line["detail"]) for line in told if "result" in line]
    if broken:
        return broken[0]
    if peak_mb > limits.mb:
        return Answer(MEMORY, f"{peak_mb:.0f} MB")
    if ending == HANG:
        return Answer(HANG, "no end")
    if not answers:
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit code {os.WEXITSTATUS(status)}"
        return Answer(TRACEBACK, f"the process ended by itself: {how}")
    return answers[-1]


def _wait(child: int, reader: int, deadline: float, kill_mb: float) -> tuple[list[dict[str, str]], int, float, str]:
    """Until the child is gone; kills it where it takes too long or too much."""
    data, ending, peak_mb, is_open = b"", "", 0.0, True
    while True:
        if select.select([reader] if is_open else [], [], [], _LOOK_S if is_open else 0.001)[0]:
            data += (got := os.read(reader, 65536))
            is_open = bool(got)
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            break
        peak_mb = max(peak_mb, _resident_mb(child))
        if time.monotonic() > deadline:
            ending = HANG
        elif peak_mb > kill_mb:
            ending = MEMORY
        if ending:
            os.kill(child, signal.SIGKILL)
            _, status, usage = os.wait4(child, 0)
            break
    while select.select([reader], [], [], 0)[0] and (got := os.read(reader, 65536)):
        data += got
    lines = [json.loads(line) for line in data.split(b"\n")[:-1]]
    return lines, status, max(peak_mb, usage.ru_maxrss / 1024), ending


def _resident_mb(process: int) -> float:
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _be_the_child(action: Action, place: Place, file: Path, readable: Sequence[Path], writer: int) -> None:
    """Never returns."""

    def tell(line: dict[str, str]) -> None:
        os.write(writer, json.dumps(line).encode() + b"\n")

    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(place.temporary / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
        sys.stdout, sys.stderr = (
            os.fdopen(1, "w", errors="surrogateescape"),
            os.fdopen(2, "w", errors="backslashreplace"),
        )
        os.environ |= {"TMPDIR": str(place.temporary), "HOME": str(place.temporary)}
        os.chdir(place.inputs)
        watch_python(lambda fault, what: tell({"fault": fault, "detail": what}), [*readable, place.inputs],
                     [place.outputs, place.temporary, *_caches()])  # fmt: skip
        answer = action(place, file)
        tell({"result": answer.result, "detail": answer.detail[:300]})
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        tell({"result": TRACEBACK, "detail": f"{type(error).__name__}: {str(error)[:160]} "
              f"({Path(where.filename).name}, {where.name})"})  # fmt: skip
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(0)


def _caches() -> list[Path]:
    folder = os.environ.get("DNI_CACHE_DIR")
    return [Path(folder)] if folder else []
