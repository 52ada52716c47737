"""A number of clients that ask as fast as they are answered, and what that makes a second."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from server import GRPC, Server, make_inputs, one_alpha

# Before the first counted answer: connections are made, and the queue fills.
_RUN_UP_S = 0.4
_IMAGES = 16

Requests = Callable[[int], Iterator[list[Any]]]
"""From a client's number to its requests, without an end."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """Answers of one stretch of time.

    batch:         images in one run of the model, on average.
    client_cpu_ms: processor time of this process, clients and all, for an answer.
    """

    per_second: float
    batch: float
    client_cpu_ms: float


def pictures(size: int, seed: int = 0) -> NDArray[np.uint8]:
    """A few images [N, size, size, 3] of noise."""
    return np.random.default_rng(seed).integers(0, 256, (_IMAGES, size, size, 3), np.uint8)


def equal_alphas(size: int, alpha: float) -> Requests:
    """All requests of all clients have one alpha."""
    prepared = [make_inputs(GRPC, {"image": image[None], "alpha": one_alpha(alpha)}) for image in pictures(size)]

    def requests(client: int) -> Iterator[list[Any]]:
        number = client
        while True:
            yield prepared[number % len(prepared)]
            number += 1

    return requests


def different_alphas(size: int) -> Requests:
    """No alpha comes twice."""
    images = pictures(size)

    def requests(client: int) -> Iterator[list[Any]]:
        rng = np.random.default_rng(client)
        prepared = [make_inputs(GRPC, {"image": image[None]}) for image in images]
        while True:
            for inputs in prepared:
                yield inputs + make_inputs(GRPC, {"alpha": one_alpha(rng.random())})

    return requests


def throughput(server: Server, requests: Requests, clients: int, seconds: float) -> Throughput:
    """Over gRPC, each client in a thread with a connection of its own."""
    stop, times = threading.Event(), [list[float]() for _ in range(clients)]
    failures: list[Exception] = []

    def ask(number: int) -> None:
        try:
            with server.client(GRPC) as client:
                for inputs in requests(number):
                    client.infer(server.model, inputs)
                    times[number].append(time.perf_counter())
                    if stop.is_set():
                        return
        except Exception as error:  # of any kind: it ends the measurement
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    time.sleep(_RUN_UP_S)
    began, cpu, (images, runs) = time.perf_counter(), time.process_time(), server.executions()
    time.sleep(seconds)
    ended, cpu, (more_images, more_runs) = time.perf_counter(), time.process_time() - cpu, server.executions()
    stop.set()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    count = sum(began <= moment < ended for moments in times for moment in moments)
    batch = (more_images - images) / max(1, more_runs - runs)
    return Throughput(count / (ended - began), batch, cpu * 1e3 / max(1, count))
