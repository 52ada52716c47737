"""Hostile requests to a real server, over HTTP and gRPC; after each a good one has to come out right."""

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networks
import numpy as np
from case import Place
from outcome import HANG, MEMORY, READ, REFUSED, RIGHT, TRACEBACK, WRITTEN, WRONG, Outcome
from served import ENVIRONMENT, Peak, Server, serving
from watch import Bait

HTTP, GRPC = "http", "grpc"
LIMIT_S = 20.0
# Resident memory of the server, its Python backend and its helpers together, beyond what they have when they start.
_LIMIT_MORE_MB = 1500.0
_SIDE = 16
MODEL = "good"
_NOT_IMPLEMENTED = 501
# What Triton itself says, as 500 and INTERNAL, of requests that it cannot take; the model never sees these.
BY_TRITON = (
    "Unable to parse",
    "failed to parse",
    "failed to get request params",
    "attempt to access JSON",
    "Unable to open shared memory region",
)
# Triton's Python backend of what some requests end in it, before the model sees them.
_ENDED = "is not healthy"
STARTED_AGAIN = "it ended the model's process, which was started again"
NOT_ALLOWED = "is not allowed"
"""What Triton says, as 503 and UNAVAILABLE, of what it was started without."""


@dataclass(frozen=True, slots=True)
class Answered:
    """To a request. `status`: as the protocol has it; `result`: right, refused or a fault."""

    result: str
    detail: str


def try_requests(protocol: str, folder: Path, seed: int, count: int) -> list[Outcome]:
    """As many requests; a server that a request has ended is started again for the next one."""
    if not (ENVIRONMENT / "bin" / "dni").exists():
        raise FileNotFoundError(f"there is no tritonserver in {ENVIRONMENT}: make .venv-triton/.done")
    from grpc_requests import grpc_requests, send_grpc
    from http_requests import http_requests, send_http

    place = Place(folder)
    place.lay_out()
    model = place.inputs / f"{MODEL}.onnx"
    model.write_bytes(networks.alpha_input().SerializeToString())
    image = np.random.default_rng(5).integers(0, 256, (1, _SIDE, _SIDE, 3), np.uint8)
    expected = _expected(model, image)
    send: Callable[[str, Any], Answered] = send_http if protocol == HTTP else send_grpc
    requests = iter((http_requests if protocol == HTTP else grpc_requests)(seed, count, image, place))
    found: list[Outcome] = []
    more = True
    while more:
        bait, before = Bait(place.baits), place.snapshot()
        with serving(model, place) as server:
            more = _ask(protocol, server, requests, lambda s: _good(s, image, expected), send, found)
        opened, after = bait.opened(), place.snapshot()
        bait.close()
        changed = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
        if changed or opened:
            detail = f"{opened} was opened" if opened else f"{Path(changed[0]).name} was made or changed"
            found.append(Outcome(protocol, "all", "the server", "files", READ if opened else WRITTEN, detail))
    return found


def _ask(protocol: str, server: Server, requests: Iterator[tuple[str, str, Any]], good: Callable[[Server], str],
         send: Callable[[str, Any], Answered], found: list[Outcome]) -> bool:  # fmt: skip
    """Whether there is more to ask: False when all are through, True where the server has to be started again."""
    address = server.http if protocol == HTTP else server.grpc
    at_first_mb = server.resident_mb()
    for family, name, request in requests:
        started = time.monotonic()
        with Peak(server) as peak:
            answer = send(address, request)
        seconds = time.monotonic() - started
        problem = good(server)
        again_s = time.monotonic() - started - seconds
        more_mb = max(peak.mb, server.resident_mb()) - at_first_mb
        if problem:
            answer = Answered(
                WRONG if problem == "wrong" else TRACEBACK, f"then a good request: {problem}; {answer.detail}"
            )
        elif more_mb > _LIMIT_MORE_MB:
            answer = Answered(MEMORY, f"{more_mb:.0f} MB more; {answer.detail}")
        elif answer.result == TRACEBACK and _ENDED in answer.detail:
            answer = Answered(REFUSED, f"{STARTED_AGAIN}, good answers {again_s:.1f} s later")
        found.append(
            Outcome(protocol, family, name, "answer", answer.result, answer.detail[:300], "", seconds, more_mb)
        )
        if problem:
            return True
    return False


def _good(server: Server, image: np.ndarray, expected: np.ndarray) -> str:
    """What keeps a good request from coming out right, or ""; a server may take seconds to start something anew."""
    problem, deadline = "", time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        try:
            body = json.dumps(good_body(image))
            connection = http.client.HTTPConnection(server.http, timeout=LIMIT_S)
            connection.request("POST", f"/v2/models/{MODEL}/infer", body)
            response = connection.getresponse()
            data = response.read()
            connection.close()
            if response.status == 200:
                pixels = np.array(json.loads(data)["outputs"][0]["data"]).reshape(expected.shape)
                return "wrong" if np.abs(pixels - expected).max() > 1 else ""
            problem = f"{response.status} {data[:160]!r}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            problem = f"{type(error).__name__}: {error}"
        time.sleep(0.2)
    return problem


def good_body(image: np.ndarray, alpha: float = 0.5) -> dict[str, Any]:
    return {"inputs": [
        {"name": "image", "shape": list(image.shape), "datatype": "UINT8", "data": image.ravel().tolist()},
        {"name": "alpha", "shape": [1, 1], "datatype": "FP32", "data": [alpha]},
    ]}  # fmt: skip


def _expected(model: Path, image: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    x = (image.astype(np.float32) / 255).transpose(0, 3, 1, 2)
    y = session.run(None, {"input": x, "alpha": np.array([0.5], np.float32)})[0]
    return np.rint(y.transpose(0, 2, 3, 1).clip(0, 1) * 255).astype(int)


def judge_status(status: int, text: str) -> Answered:
    """Of an HTTP answer: 4xx with one line, or without words, refuses."""
    if status < 400:
        return Answered(RIGHT, f"{status}")
    with contextlib.suppress(ValueError, AttributeError, TypeError):
        text = str(json.loads(text).get("error", text))
    is_refusal = status < 500 or status == _NOT_IMPLEMENTED or NOT_ALLOWED in text or text.startswith(BY_TRITON)
    if not is_refusal:
        return Answered(TRACEBACK, f"{status} {text[:200]}")
    return Answered(REFUSED, f"{status} {text}")


def exchange(address: str, request: bytes) -> Answered:
    """Send bytes as they are, and read the answer's first piece."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + LIMIT_S
    try:
        with socket.create_connection((host, int(port)), timeout=LIMIT_S) as connection:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
            response = http.client.HTTPResponse(connection)
            response.begin()
            return judge_status(response.status, response.read(4096).decode("utf-8", "replace"))
    except TimeoutError:
        return Answered(HANG, f"no answer in {LIMIT_S:g} s")
    except (http.client.HTTPException, OSError, ValueError):
        return (
            Answered(REFUSED, "the connection was closed")
            if time.monotonic() < deadline
            else Answered(HANG, "closed late")
        )
