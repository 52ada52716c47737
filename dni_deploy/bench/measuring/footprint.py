"""What an approach takes of a machine: time to load, memory, disk. Each measured in a fresh process.

python -m dni_deploy.bench.measuring.footprint      is that process: a job comes on stdin, the answer on stdout
"""

import json
import os
import pickle
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dni_deploy.bench.approaches.approach import Approach, Strength
from dni_runtime import DniError
from dni_runtime.files.unfinished import unfinished_folder

from .memory import forget_peak, peak_bytes, resident_bytes

_CALLS = 3


@dataclass(frozen=True, slots=True)
class Footprint:
    """One approach on one model. Memory counts from the imports on; None where it cannot be measured.

    load_s:            until the model can be called; the files themselves are in the system's file cache.
    load_again_s:      the same in a second process, which finds what the first one left in the cache on the disk.
    first_call_s:      the first call of the first process: engines lay out memory in it, torch.compile compiles.
    peak_bytes:        while a settled model runs, in the second process.
    peak_load_bytes:   until it has settled, in the first: load, first call, and what goes on in the background.
    disk_bytes:        the files that it needs, cache_bytes what it adds in the cache.
    """

    approach: str
    load_s: float
    load_again_s: float
    first_call_s: float
    peak_bytes: int | None
    peak_load_bytes: int | None
    disk_bytes: int
    cache_bytes: int


@dataclass(frozen=True, slots=True)
class _Job:
    approach: Approach
    shape: tuple[int, ...]
    alpha: Strength
    threads: int | None


def measure_footprint(
    approach: Approach, shape: tuple[int, ...], alpha: Strength, threads: int | None, repeats: int = 1
) -> Footprint:
    """Open and run `approach` in fresh processes, twice for each repeat: with an empty cache, and again.

    The least of the repeats: other processes only add to them.
    """
    job = _Job(approach, shape, alpha, threads)
    first, again, cache_bytes = [], [], 0
    for _ in range(repeats):
        with unfinished_folder() as cache:
            first.append(_in_process(job, cache))
            again.append(_in_process(job, cache))
            cache_bytes = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
    return Footprint(
        approach=approach.name,
        load_s=_least(first, "load_s"),
        load_again_s=_least(again, "load_s"),
        first_call_s=_least(first, "first_call_s"),
        peak_bytes=_least_bytes(again, "peak"),
        peak_load_bytes=_least_bytes(first, "peak_load"),
        disk_bytes=sum(file.stat().st_size for file in approach.files),
        cache_bytes=cache_bytes,
    )


def _least(answers: list[dict[str, float]], key: str) -> float:
    return min(answer[key] for answer in answers)


def _least_bytes(answers: list[dict[str, float]], key: str) -> int | None:
    return None if answers[0][key] is None else int(_least(answers, key))


def _in_process(job: _Job, cache: Path) -> dict[str, float]:
    environment = os.environ | {
        "DNI_CACHE_DIR": str(cache),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    command = [sys.executable, "-m", __name__]
    done = subprocess.run(command, input=pickle.dumps(job), capture_output=True, env=environment)
    if done.returncode:
        words = done.stderr.decode(errors="replace").splitlines() or [f"it ended with {done.returncode}"]
        raise DniError(f"{job.approach.name} failed in a process of its own:", *words)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _answer(job: _Job) -> dict[str, float | None]:
    x = np.random.default_rng(0).random(job.shape, np.float32)
    before = resident_bytes()
    forget_peak()
    started = time.perf_counter()
    running = job.approach.open(job.threads)
    loaded = time.perf_counter()
    running(x, job.alpha)
    called = time.perf_counter()
    running.settle()
    peak_load = peak_bytes()
    forget_peak()
    for _ in range(_CALLS):
        running(x, job.alpha)
    peak = peak_bytes()
    running.close()
    return {
        "load_s": loaded - started,
        "first_call_s": called - loaded,
        "peak_load": None if before is None or peak_load is None else peak_load - before,
        "peak": None if before is None or peak is None else peak - before,
    }


if __name__ == "__main__":
    # Under its importable name: the pickled job knows nothing of a module called __main__.
    from . import footprint

    try:
        print(json.dumps(footprint._answer(pickle.load(sys.stdin.buffer))))
    except DniError as error:
        sys.exit(str(error))
