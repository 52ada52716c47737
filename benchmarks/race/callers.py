"""Many small requests at once: what a number of callers of one model get, and whether batches give more."""

import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from contestants import RaceFiles

import dni_runtime
from dni_deploy.bench import line_up
from dni_deploy.bench.approaches.approach import FloatArray
from dni_deploy.bench.approaches.lineup import BAKED, NAIVE, OURS
from dni_deploy.bench.approaches.sessions import Session
from dni_deploy.bench.measuring.race import SPIN_S

Call = Callable[[FloatArray], FloatArray]

CLIENTS = (1, 2, 4, 16, 64)
BATCHES = (1, 4, 16)
THREADS = (1, 2, 4, 16)
HELD_S, ROUNDS = 0.5, 2
_ALPHA = 0.3
_RUN_UP_S = 0.1
_TOLERANCE = 1e-5

NEW_ALPHAS, FASTEST, TWO_MODELS = f"{OURS}, new alphas", "fastest", "two models, 1 thread each"


@dataclass(frozen=True, slots=True)
class Served:
    """What `clients` callers get of a way: answers a second, and processor time for one; medians of the rounds."""

    way: str
    clients: int
    per_second: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Batched:
    """What one caller gets who sends batches of `images`."""

    way: str
    images: int
    per_second: float


@dataclass(frozen=True, slots=True)
class OfThreads:
    """A call of one caller with so many threads asked for."""

    way: str
    threads: int
    ms: float


def measure(
    name: str, files: RaceFiles, folder: Path, size: int, *, quick: bool, say: Callable[[str], None]
) -> dict[str, Any]:
    """Everything about small requests of one network on one size; results are compared first."""
    seconds, rounds = (0.05, 1) if quick else (HELD_S, ROUNDS)
    x = np.random.default_rng(0).random((1, 3, size, size), np.float32)
    baked = line_up(files.model, folder, (_ALPHA,), "cpu").approach(BAKED).files[0]
    naive = Session(files.model, "cpu", 1)
    with ExitStack() as stack:
        say(f"{name} {size} x {size}: opening {NAIVE} and the others")
        ways = _ways(files.model, baked, stack)
        wanted = naive(x, (_ALPHA,))
        for way, call in ways.items():
            if way != NEW_ALPHAS:
                np.testing.assert_allclose(call(x), wanted, rtol=0, atol=_TOLERANCE * max(1, abs(wanted).max()))
        turns = [(way, clients) for way in ways for clients in CLIENTS]
        found: dict[tuple[str, int], list[tuple[float, float]]] = {turn: [] for turn in turns}
        order = random.Random(0)
        for number in range(rounds):
            say(f"{name} {size} x {size}: callers, round {number + 1} of {rounds}")
            for turn in order.sample(turns, len(turns)):
                found[turn].append(_throughput(ways[turn[0]], x, turn[1], seconds))
        served = [
            Served(*turn, median(per_second for per_second, _ in each), median(ms for _, ms in each))
            for turn, each in found.items()
        ]
        say(f"{name} {size} x {size}: batches")
        batched = _batches(
            {way: ways[way] for way in (f"{OURS}, 2 threads", f"{BAKED}, 2 threads")}, x, seconds, rounds
        )
    say(f"{name} {size} x {size}: threads")
    of_threads = _of_threads(files.model, baked, x, 2 if quick else 15)
    rows = {"served": served, "batched": batched, "threads_asked": of_threads}
    return {"model": name, "size": size} | {key: [asdict(row) for row in value] for key, value in rows.items()}


def _ways(model: Path, baked: Path, stack: ExitStack) -> dict[str, Call]:
    def ours(threads: int, provider: str = "cpu") -> dni_runtime.Model:
        return stack.enter_context(dni_runtime.load(model, provider, threads=threads))

    draw = random.Random(1)
    moving, two = ours(2), [ours(1), ours(1)]
    chosen = threading.local()
    next_one = iter(range(10**9))

    def of_two(x: FloatArray) -> FloatArray:
        if not hasattr(chosen, "model"):
            chosen.model = two[next(next_one) % 2]
        y: FloatArray = chosen.model(x, _ALPHA)
        return y

    def held(model: dni_runtime.Model) -> Call:
        return lambda x: model(x, _ALPHA)

    ways: dict[str, Call] = {}
    for threads in (1, 2):
        session = Session(baked, "cpu", threads)
        ways[f"{BAKED}, {_threads(threads)}"] = lambda x, session=session: session(x, ())  # type: ignore[misc]
        ways[f"{OURS}, {_threads(threads)}"] = held(ours(threads))
    ways[NEW_ALPHAS] = lambda x: moving(x, draw.random())
    ways[FASTEST] = held(ours(2, "fastest"))
    ways[TWO_MODELS] = of_two
    return ways


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count > 1)}"


def _throughput(call: Call, x: FloatArray, clients: int, seconds: float) -> tuple[float, float]:
    """Answers a second of callers that ask again as soon as they are answered, and milliseconds of processor time."""
    stop, times = threading.Event(), [list[float]() for _ in range(clients)]
    failures: list[Exception] = []

    def ask(moments: list[float]) -> None:
        try:
            while not stop.is_set():
                call(x)
                moments.append(time.perf_counter())
        except Exception as error:  # of any kind: it ends the measurement
            failures.append(error)

    time.sleep(SPIN_S)
    threads = [threading.Thread(target=ask, args=(moments,)) for moments in times]
    for thread in threads:
        thread.start()
    time.sleep(_RUN_UP_S)
    began, cpu = time.perf_counter(), time.process_time()
    time.sleep(seconds)
    ended, cpu = time.perf_counter(), time.process_time() - cpu
    stop.set()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    count = sum(began <= moment < ended for moments in times for moment in moments)
    return count / (ended - began), cpu * 1e3 / max(1, count)


def _batches(ways: dict[str, Call], x: FloatArray, seconds: float, rounds: int) -> list[Batched]:
    turns = [(way, images) for way in ways for images in BATCHES]
    found: dict[tuple[str, int], list[float]] = {turn: [] for turn in turns}
    order = random.Random(2)
    for _ in range(rounds):
        for way, images in order.sample(turns, len(turns)):
            batch = np.repeat(x, images, axis=0)
            time.sleep(SPIN_S)
            ways[way](batch)
            started, count = time.perf_counter(), 0
            while time.perf_counter() - started < seconds:
                ways[way](batch)
                count += images
            found[way, images].append(count / (time.perf_counter() - started))
    return [Batched(*turn, median(each)) for turn, each in found.items()]


def _of_threads(model: Path, baked: Path, x: FloatArray, rounds: int) -> list[OfThreads]:
    """All numbers of threads in turn: does it hurt to ask for more than there are cores?"""
    with ExitStack() as stack:
        calls: dict[tuple[str, int], Callable[[], Any]] = {}
        for threads in THREADS:
            session = Session(baked, "cpu", threads)
            ours = stack.enter_context(dni_runtime.load(model, "cpu", threads=threads))
            calls[BAKED, threads] = lambda session=session: session(x, ())  # type: ignore[misc]
            calls[OURS, threads] = lambda ours=ours: ours(x, _ALPHA)  # type: ignore[misc]
        found: dict[tuple[str, int], list[float]] = {key: [] for key in calls}
        order = random.Random(3)
        for _ in range(rounds):
            for key in order.sample(list(calls), len(calls)):
                time.sleep(SPIN_S)
                calls[key]()
                started = time.perf_counter()
                calls[key]()
                found[key].append(time.perf_counter() - started)
    return [OfThreads(*key, median(each) * 1e3) for key, each in found.items()]
