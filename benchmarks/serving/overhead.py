"""What the way through the server costs: a request against a bare session's call in this process."""

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc
from numpy.typing import NDArray
from server import GRPC, HTTP, Server, make_inputs, serving
from tritonclient.utils import shared_memory

from dni_deploy.bench.approaches.lineup import BAKED, line_up
from dni_deploy.bench.measuring.race import SPIN_S, Effort, Round, race
from dni_deploy.bench.measuring.spread import values_of

SHARED = "gRPC, shared memory"
WAYS = (HTTP, GRPC, SHARED)
BARE = "bare session"

_QUICK_S = 0.2
_TOLERANCE = 1e-5
_FLOAT_BYTES = 4

Call = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Overhead:
    """One network, size and way; milliseconds, from `count` rounds.

    more_*: what a request takes more than the bare session's call in the same round.
    """

    network: str
    size: int
    way: str
    bare_p50_ms: float
    p50_ms: float
    p99_ms: float
    more_p50_ms: float
    more_p99_ms: float
    count: int


def measure_overhead(
    network: str, model: Path, sizes: dict[int, Effort], progress: Callable[[str], None]
) -> list[Overhead]:
    """All ways in turn, at each size, after they were found to answer alike."""
    with serving(model) as server, tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        lineup = line_up(model, Path(folder), None, "cpu")
        bare = lineup.approach(BAKED).open(os.cpu_count())
        stack.callback(bare.close)
        (alpha,) = lineup.alpha
        rows = []
        for size, effort in sizes.items():
            progress(f"{network}, {size} x {size}")
            x = np.random.default_rng(size).random((1, 3, size, size), np.float32)
            wanted = bare(x, lineup.alpha)
            with ExitStack() as ways:
                calls = {way: ways.enter_context(_open(way, server, x, alpha, wanted.nbytes)) for way in WAYS}
                calls[BARE] = lambda x: bare(x, lineup.alpha)
                for call in calls.values():
                    limit = _TOLERANCE * max(1, np.abs(wanted).max())
                    np.testing.assert_allclose(call(x), wanted, rtol=0, atol=limit)
                entries = {name: _entry(call, x) for name, call in calls.items()}
                rounds = race(entries, list(entries), effort, random.Random(0))
            rows += [_row(network, size, way, rounds) for way in WAYS]
        return rows


def _row(network: str, size: int, way: str, rounds: list[Round]) -> Overhead:
    taken, bare = np.array(values_of(rounds, way)) * 1e3, np.array(values_of(rounds, BARE)) * 1e3
    p50, p99 = np.percentile(taken, [50, 99])
    more_p50, more_p99 = np.percentile(taken - bare, [50, 99])
    values = (np.median(bare), p50, p99, more_p50, more_p99)
    return Overhead(network, size, way, *map(float, values), count=len(rounds))


def _entry(call: Call, x: NDArray[np.float32]) -> Callable[[], float]:
    """The seconds of a call: after a pause in which the threads of whoever ran before stop spinning, see race."""

    def timed() -> float:
        time.sleep(SPIN_S)
        started = time.perf_counter()
        call(x)
        first = time.perf_counter() - started
        if first >= _QUICK_S:
            return first
        started = time.perf_counter()
        call(x)
        return time.perf_counter() - started

    return timed


@contextmanager
def _open(way: str, server: Server, x: NDArray[np.float32], alpha: float, answer_bytes: int) -> Iterator[Call]:
    """A function that sends a tensor of x's shape and takes the answer, each time all of it."""
    protocol = HTTP if way == HTTP else GRPC
    with server.client(protocol) as client:
        if way == SHARED:
            with _shared(client, server, x, alpha, answer_bytes) as call:
                yield call
            return
        (strength,) = make_inputs(protocol, {"alpha": np.array([[alpha]], np.float32)})

        def ask(x: NDArray[np.float32]) -> NDArray[np.float32]:
            result = client.infer(server.model, [*make_inputs(protocol, {"input": x}), strength])
            answer: NDArray[np.float32] = result.as_numpy("output")
            return answer

        yield ask


@contextmanager
def _shared(client: Any, server: Server, x: NDArray[np.float32], alpha: float, answer_bytes: int) -> Iterator[Call]:
    sizes = {"given": x.nbytes + _FLOAT_BYTES, "taken": answer_bytes}
    regions = {}
    try:
        for name, size in sizes.items():
            regions[name] = shared_memory.create_shared_memory_region(name, f"/dni_{name}_{os.getpid()}", size)
            client.register_system_shared_memory(name, f"/dni_{name}_{os.getpid()}", size)
        shared_memory.set_shared_memory_region(regions["given"], [np.array([alpha], np.float32)], x.nbytes)
        image = tritonclient.grpc.InferInput("input", x.shape, "FP32")
        image.set_shared_memory("given", x.nbytes)
        strength = tritonclient.grpc.InferInput("alpha", [1, 1], "FP32")
        strength.set_shared_memory("given", _FLOAT_BYTES, x.nbytes)
        output = tritonclient.grpc.InferRequestedOutput("output")
        output.set_shared_memory("taken", answer_bytes)

        def ask(x: NDArray[np.float32]) -> NDArray[np.float32]:
            shared_memory.set_shared_memory_region(regions["given"], [x])
            described = client.infer(server.model, [image, strength], outputs=[output]).get_output("output")
            answer: NDArray[np.float32] = shared_memory.get_contents_as_numpy(
                regions["taken"], np.float32, list(described.shape)
            )
            return answer

        yield ask
    finally:
        client.unregister_system_shared_memory()
        for region in regions.values():
            shared_memory.destroy_shared_memory_region(region)
