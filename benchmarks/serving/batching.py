"""Dynamic batching against none: two servers of one model, asked in turn."""

import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from load import Throughput, different_alphas, equal_alphas, pictures, throughput
from server import GRPC, Server, make_inputs, one_alpha, serving

import dni_runtime
from dni_deploy.bench.measuring.spread import Spread, spread

MAX_BATCH = 8
EQUAL, DIFFERENT = "equal", "all different"
_BATCHED, _SINGLE = "batched", "single"
_ALPHA = 0.5
# A request's pixels are rounded from sums that may come in another order in a batch.
_PIXEL_TOLERANCE = 1


@dataclass(frozen=True, slots=True)
class Effort:
    """What is measured of one network: its sizes, the numbers of clients, and how long and often each."""

    sizes: tuple[int, ...]
    clients: tuple[int, ...]
    seconds: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Batching:
    """One network, size, number of clients, and kind of alphas: answers a second with and without batching.

    ratio:         with batching / without, of the same round.
    batch:         images in one run of the model with batching.
    client_cpu_ms: the clients' own processor time for an answer, on the machine that serves.
    """

    network: str
    size: int
    clients: int
    alphas: str
    batched_per_s: float
    single_per_s: float
    ratio: Spread
    batch: float
    client_cpu_ms: float


def measure_batching(network: str, model: Path, effort: Effort, progress: Callable[[str], None]) -> list[Batching]:
    """Every combination, after the answers of both servers were found right."""
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(serving(model, "--max-batch", most))
            for name, most in ((_BATCHED, MAX_BATCH), (_SINGLE, 1))
        }
        rows = []
        for size in effort.sizes:
            assert_right(servers.values(), model, size)
            for clients in effort.clients:
                progress(f"{network}, {size} x {size}, {clients} client(s)")
                rows += [_measure(network, servers, size, clients, alphas, effort) for alphas in (EQUAL, DIFFERENT)]
        return rows


def _measure(
    network: str, servers: dict[str, Server], size: int, clients: int, alphas: str, effort: Effort
) -> Batching:
    requests = equal_alphas(size, _ALPHA) if alphas == EQUAL else different_alphas(size)
    order, rounds = random.Random(0), list[dict[str, Throughput]]()
    for _ in range(effort.rounds):
        turn = order.sample(list(servers), len(servers))
        rounds.append({name: throughput(servers[name], requests, clients, effort.seconds) for name in turn})
    ratio = spread([taken[_BATCHED].per_second / taken[_SINGLE].per_second for taken in rounds])
    assert ratio is not None
    return Batching(
        network,
        size,
        clients,
        alphas,
        batched_per_s=median(taken[_BATCHED].per_second for taken in rounds),
        single_per_s=median(taken[_SINGLE].per_second for taken in rounds),
        ratio=ratio,
        batch=median(taken[_BATCHED].batch for taken in rounds),
        client_cpu_ms=median(taken[_BATCHED].client_cpu_ms for taken in rounds),
    )


def assert_right(servers: Iterable[Server], model: Path, size: int) -> None:
    """Requests of equal and of different alphas, sent together, each get the answer of their own."""
    images = pictures(size)
    alphas = [_ALPHA] * (len(images) // 2) + list(np.random.default_rng(1).random(len(images) // 2, np.float32))
    with dni_runtime.load(model, "cpu") as reference:
        wanted = [reference.enhance(image, float(alpha)) for image, alpha in zip(images, alphas, strict=True)]
    for server in servers:
        with server.client(GRPC) as client, ThreadPoolExecutor(len(images)) as pool:

            def ask(image: Any, alpha: float, client: Any = client, server: Server = server) -> Any:
                inputs = make_inputs(GRPC, {"image": image[None], "alpha": one_alpha(alpha)})
                return client.infer(server.model, inputs).as_numpy("output_image")[0]

            for got, right in zip(pool.map(ask, images, alphas), wanted, strict=True):
                assert np.abs(got.astype(int) - right.astype(int)).max() <= _PIXEL_TOLERANCE, "a wrong answer"
