"""Calls of one network: with a new alpha, with a held one, and of the baked file, twice, in random order."""

import itertools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnxruntime
from files import ALPHA, baked_beside

import dni_runtime
from dni_deploy.bench.measuring.blending import copy_s_per_byte, time_blends
from dni_deploy.bench.measuring.race import SPIN_S
from dni_deploy.bench.measuring.spread import paired_ratios, spread
from dni_runtime.prepared.laid_out import LaidOut

# A call is to take this long, times its threads, on one thread: well above the 10 ms for which the bound is.
SHORT_S = 0.012
# Where a new alpha costs more than the bound, what it costs with larger images is measured too, up to such a call.
LONG_S = 0.5
ROUNDS, LEAST_ROUNDS, SECONDS = 15, 5, 4.0
EQUAL = 1e-5
BAKED, AGAIN, HELD, MOVING, PLAIN = "baked", "again", "held", "moving", "plain"
# Read: two endpoints; written: the blend. Four bytes each.
_BYTES_MOVED = 12

Shape: TypeAlias = tuple[int, int, int, int]


@contextmanager
def opened(file: Path, threads: int) -> Iterator[dict[str, Any]]:
    """What is compared. A model for each way with ours: neither finds weights that the other has blended."""
    baked = [_session(baked_beside(file), threads) for _ in range(2)]
    with (
        dni_runtime.load(file, "cpu", threads=threads, alpha_policy="dynamic") as held,
        dni_runtime.load(file, "cpu", threads=threads, alpha_policy="dynamic") as moving,
    ):
        yield {BAKED: baked[0], AGAIN: baked[1], HELD: held, MOVING: moving, PLAIN: _session(file, threads)}


def shape_of(file: Path, threads: int) -> Shape:
    """Of the smallest image with which the baked file takes SHORT_S for each thread; its own where it has one."""
    baked = _session(baked_beside(file), 1)
    with dni_runtime.load(file, "cpu", threads=1, alpha_policy="dynamic") as model:
        metadata = model.metadata
        n, channels, height, width = model._signature.shape
    assert channels is not None
    side = 32
    while True:
        sides = metadata.sizes.fit(side, side)
        shape = (n or 1, channels, height or sides[0], width or sides[1])
        if (height and width) or _quickest(baked, shape) >= SHORT_S * threads:
            return shape
        side = 1 + int(1.2 * max(sides))


def twice(shape: Shape) -> Shape:
    """The shape of twice the side."""
    return (*shape[:2], 2 * shape[2], 2 * shape[3])


def measure(ways: dict[str, Any], shape: Shape, threads: int) -> dict[str, Any]:
    """Milliseconds and ratios to the baked file's calls: processor time on one thread, by the clock on several."""
    x = np.random.default_rng(0).random(shape, np.float32)
    alphas = itertools.cycle(np.linspace(0.05, 0.95, 19).tolist())
    calls: dict[str, Callable[[], Any]] = {
        BAKED: lambda: ways[BAKED].run(None, {"input": x})[0],
        AGAIN: lambda: ways[AGAIN].run(None, {"input": x})[0],
        HELD: lambda: ways[HELD](x, ALPHA),
        MOVING: lambda: ways[MOVING](x, next(alphas)),
    }
    apart = _largest_error(ways, calls, x)
    runner = ways[MOVING]._runner
    blends = time_blends(runner) if isinstance(runner, LaidOut) else []
    clocks = {"cpu": time.process_time, "wall": time.perf_counter}
    rounds: dict[str, list[dict[str, float]]] = {clock: [] for clock in clocks}
    order, started = random.Random(0), time.perf_counter()
    while len(rounds["cpu"]) < ROUNDS:
        if len(rounds["cpu"]) >= LEAST_ROUNDS and time.perf_counter() - started > SECONDS:
            break
        taken: dict[str, dict[str, float]] = {clock: {} for clock in clocks}
        for name in order.sample([*calls], len(calls)):
            if threads > 1:
                time.sleep(SPIN_S)  # until nobody's threads spin
            calls[name]()
            before = {clock: read() for clock, read in clocks.items()}
            calls[name]()
            for clock, read in clocks.items():
                taken[clock][name] = read() - before[clock]
        for clock in clocks:
            rounds[clock].append(taken[clock])
    clock = "cpu" if threads == 1 else "wall"
    ratios = {name: spread(paired_ratios(rounds[clock], name, BAKED)) for name in (MOVING, HELD, AGAIN)}
    milliseconds = spread([each[BAKED] for each in rounds[clock]], 1e3)
    assert milliseconds is not None
    total = runner._sets._size if isinstance(runner, LaidOut) else 0
    return {
        "shape": list(shape),
        "threads": threads,
        "clock": clock,
        "apart": apart,
        "laid_out": isinstance(runner, LaidOut),
        "note": ways[MOVING].alpha_note,
        "weights": total,
        BAKED: milliseconds.median,
        "blend": 1e3 * float(np.median(blends[1::2])) if blends else None,
        "least": 1e3 * _BYTES_MOVED * total * copy_s_per_byte(),
        **{name: asdict(ratio) for name, ratio in ratios.items() if ratio is not None},
    }


def _largest_error(ways: dict[str, Any], calls: dict[str, Callable[[], Any]], x: Any) -> float:
    """Between the results, of max(1, |result|max). Raises AssertionError where they are not equal."""
    (plain,) = ways[PLAIN].run(None, {"input": x, "alpha": np.array([ALPHA], np.float32)})
    results = [calls[BAKED](), calls[HELD](), ways[MOVING](x, ALPHA)]
    apart = max(float(np.abs(each - plain).max()) for each in results) / max(1.0, float(np.abs(plain).max()))
    assert apart <= EQUAL, f"results are apart by {apart:.1e}"
    return apart


def _quickest(session: Any, shape: Shape) -> float:
    x = np.random.default_rng(0).random(shape, np.float32)
    taken = []
    for _ in range(4):
        started = time.process_time()
        session.run(None, {"input": x})
        taken.append(time.process_time() - started)
    return min(taken)


def _session(file: Path, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
