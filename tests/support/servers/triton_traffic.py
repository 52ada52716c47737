"""Clients that ask all the time, each in a thread of its own, and remember what they sent and got."""

import concurrent.futures
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.http
from numpy.typing import NDArray
from onnx_models import picture
from triton_server import alphas, infer

from dni_runtime import Model

SIZES = [(24, 32), (40, 40), (64, 48)]
# Leaves some processor time to the servers, which are on the same machine.
PAUSE_S = 0.01
# Behind a proxy an answer that does not come within this time does not come at all.
_GIVE_UP_S = 20


@dataclass(frozen=True)
class Sent:
    """A request, and either its answer and the version of the model that gave it, or what went wrong."""

    protocol: str
    started: float
    ended: float
    image: NDArray[np.uint8]
    alpha: float
    answer: NDArray[np.uint8] | None = None
    version: str = ""
    error: Exception | None = None


@dataclass
class Traffic:
    """A context manager: inside its block `clients` threads ask the model; `sent` is complete afterwards."""

    http: str
    grpc: str
    model: str = "stack"
    clients: int = 8
    sent: list[Sent] = field(default_factory=list)

    def __enter__(self) -> "Traffic":
        self._stop = threading.Event()
        self._counts = [0] * self.clients
        self._pool = concurrent.futures.ThreadPoolExecutor(self.clients)
        self._threads = [self._pool.submit(self._ask, number) for number in range(self.clients)]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stop.set()
        self._pool.shutdown()
        if error is None:
            for thread in self._threads:
                thread.result()

    def wait_for(self, more: int, timeout_s: float = 30) -> None:
        """Until `more` answers have come."""
        before, deadline = self._answers(), time.monotonic() + timeout_s
        while self._answers() < before + more:
            assert time.monotonic() < deadline, f"{self._answers() - before} answers in {timeout_s} s"
            for thread in self._threads:
                if thread.done():
                    thread.result()
            time.sleep(0.02)

    def _answers(self) -> int:
        return sum(self._counts)

    @property
    def answered(self) -> list[Sent]:
        return [sent for sent in list(self.sent) if sent.error is None]

    @property
    def failed(self) -> list[Sent]:
        return [sent for sent in list(self.sent) if sent.error is not None]

    @property
    def longest_s(self) -> float:
        return max(sent.ended - sent.started for sent in self.sent)

    def _ask(self, number: int) -> None:
        rng = np.random.default_rng(number)
        protocol = ("http", "grpc")[number % 2]
        with self._client(protocol) as client:
            while not self._stop.is_set():
                image = picture(1, *SIZES[rng.integers(len(SIZES))], 3, seed=int(rng.integers(1000)))
                sent = self._send(client, protocol, image, float(np.float32(rng.random())))
                self.sent.append(sent)
                self._counts[number] += sent.error is None
                self._stop.wait(PAUSE_S)

    def _client(self, protocol: str) -> Any:
        if protocol == "http":
            return tritonclient.http.InferenceServerClient(self.http, network_timeout=_GIVE_UP_S)
        return tritonclient.grpc.InferenceServerClient(self.grpc)

    def _send(self, client: Any, protocol: str, image: NDArray[np.uint8], alpha: float) -> Sent:
        timeout: dict[str, Any] = {"client_timeout": _GIVE_UP_S} if protocol == "grpc" else {}
        started = time.monotonic()
        try:
            result = infer(client, self.model, {"image": image, "alpha": alphas(alpha)}, **timeout)
        except Exception as error:  # of gRPC, of HTTP, of the connection: whoever asked has got no answer
            return Sent(protocol, started, time.monotonic(), image, alpha, error=error)
        response = result.get_response()
        version = response["model_version"] if protocol == "http" else response.model_version
        ended = time.monotonic()
        return Sent(protocol, started, ended, image, alpha, result.as_numpy("output_image")[0], str(version))


def assert_right(models: Mapping[str, Model], sent: Sequence[Sent]) -> None:
    """Every answer is that of the version that says it gave it, at the request's own alpha, on its own image."""
    for one in sent:
        assert one.answer is not None
        np.testing.assert_array_equal(one.answer, models[one.version].enhance(one.image[0], one.alpha))
