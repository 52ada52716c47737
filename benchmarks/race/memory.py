"""The memory of many models and of many alphas of one, each in a process of its own (Linux)."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import dni_runtime
from dni_deploy.bench.approaches.baked import write_baked
from dni_deploy.bench.approaches.sessions import Session

COUNTS = (1, 4, 16)
MODELS, ALPHAS, FILES = "models of one file, an alpha each", "alphas of one model", "baked files, a session each"
KINDS = (ALPHAS, MODELS, FILES)
PROCESSES = 3
_THREADS = 2


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that a process has more when it holds `count` of a kind than when it had imported everything.

    own: its own alone (USS). resident: with what other processes may share (RSS).
    """

    kind: str
    count: int
    own: int
    resident: int


@dataclass(frozen=True, slots=True)
class Processes:
    """The memory of each of `count` processes at once that run one model: of its own, and its share of all (PSS)."""

    count: int
    own: int
    share: int


def measure(name: str, model: Path, folder: Path, size: int, *, quick: bool) -> dict[str, Any]:
    counts = COUNTS[:2] if quick else COUNTS
    files = [str(write_baked(model, (_alpha(n),), folder / f"alpha{n}.onnx")) for n in range(max(counts))]
    weights = sum(Path(file).stat().st_size for file in files) // len(files)
    rows = [Memory(kind, count, *_in_process(kind, count, model, files, size)) for kind in KINDS for count in counts]
    return {
        "model": name,
        "size": size,
        "weights": weights,
        "memory": [asdict(row) for row in rows],
        "processes": [asdict(_side_by_side(count, model, files, size)) for count in (1, PROCESSES)],
    }


def _alpha(number: int) -> float:
    return (number + 1) / (max(COUNTS) + 2)


def _start(kind: str, count: int, model: Path, files: list[str], size: int) -> "subprocess.Popen[str]":
    job = json.dumps({"kind": kind, "count": count, "model": str(model), "files": files, "size": size})
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, __file__, job]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def _in_process(kind: str, count: int, model: Path, files: list[str], size: int) -> tuple[int, int]:
    with _start(kind, count, model, files, size) as process:
        assert process.stdout is not None
        answer = json.loads(process.stdout.readline())
        process.communicate("\n")
    return answer["own"], answer["resident"]


def _side_by_side(count: int, model: Path, files: list[str], size: int) -> Processes:
    """Each has called the model, and all are there when they are weighed."""
    with ExitStack() as stack:
        processes = [stack.enter_context(_start(MODELS, 1, model, files, size)) for _ in range(count)]
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        found = [psutil.Process(process.pid).memory_full_info() for process in processes]
        for process in processes:
            process.communicate("\n")
    return Processes(count, min(each.uss for each in found), min(each.pss for each in found))


def _hold(job: dict[str, Any], stack: ExitStack) -> list[Any]:
    """What the process is to hold, each used twice: an alpha that comes back is kept."""
    x = np.random.default_rng(0).random((1, 3, job["size"], job["size"]), np.float32)
    count = job["count"]
    held: list[Any] = []
    if job["kind"] == FILES:
        held = [Session(Path(file), "cpu", _THREADS) for file in job["files"][:count]]
        for session in held:
            session(x, ())
        return held
    models = count if job["kind"] == MODELS else 1
    held = [stack.enter_context(dni_runtime.load(job["model"], "cpu", threads=_THREADS)) for _ in range(models)]
    for _ in range(2):
        for number in range(count):
            held[number % models](x, _alpha(number))
    return held


def main() -> None:
    job = json.loads(sys.argv[1])
    this = psutil.Process()
    before = this.memory_full_info()
    with ExitStack() as stack:
        held = _hold(job, stack)
        after = this.memory_full_info()
        print(json.dumps({"own": after.uss - before.uss, "resident": after.rss - before.rss}), flush=True)
        sys.stdin.readline()  # others are weighed beside this one
        del held


if __name__ == "__main__":
    main()
