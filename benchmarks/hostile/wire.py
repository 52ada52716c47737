"""Hostile requests to a real server, over HTTP and gRPC; after each a good one has to come out right."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import networks
from answers import Answered, exchange
from case import Place
from good_request import IMAGE, MODEL, expected, problem_of
from outcome import MEMORY, READ, REFUSED, TRACEBACK, WRITTEN, WRONG, Outcome
from served import ENVIRONMENT, Peak, Server, serving
from watch import Bait

HTTP, GRPC = "http", "grpc"
# Resident memory of the server, its Python backend and its helpers together, beyond what they have when they start.
_LIMIT_MORE_MB = 1500.0
# Triton's Python backend of what some requests end in it, before the model sees them.
_ENDED = "is not healthy"
STARTED_AGAIN = "it ended the model's process, which was started again"


def try_requests(protocol: str, folder: Path, seed: int, count: int) -> list[Outcome]:
    """As many requests; a server that a request has ended is started again for the next one."""
    if not (ENVIRONMENT / "bin" / "dni").exists():
        raise FileNotFoundError(f"there is no tritonserver in {ENVIRONMENT}: make .venv-triton/.done")
    from grpc_requests import grpc_requests, send_grpc
    from http_requests import http_requests

    place = Place(folder)
    place.lay_out()
    model = place.inputs / f"{MODEL}.onnx"
    model.write_bytes(networks.alpha_input().SerializeToString())
    right = expected(model)
    send: Callable[[str, Any], Answered] = exchange if protocol == HTTP else send_grpc
    requests = iter((http_requests if protocol == HTTP else grpc_requests)(seed, count, IMAGE, place))
    found: list[Outcome] = []
    more = True
    while more:
        bait, before = Bait(place.baits), place.snapshot()
        with serving(model, place) as server:
            more = _ask(protocol, server, requests, lambda s: problem_of(s, IMAGE, right), send, found)
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
