"""What an answer to a request is: right, a refusal or a fault; and the exchange of bytes over HTTP."""

import contextlib
import http.client
import json
import socket
import time
from dataclasses import dataclass

from outcome import HANG, REFUSED, RIGHT, TRACEBACK

LIMIT_S = 20.0
_NOT_IMPLEMENTED = 501
# What Triton itself says, as 500 and INTERNAL, of requests that it cannot take; the model never sees these.
BY_TRITON = (
    "Unable to parse",
    "failed to parse",
    "failed to get request params",
    "attempt to access JSON",
    "Unable to open shared memory region",
)
NOT_ALLOWED = "is not allowed"
"""What Triton says, as 503 and UNAVAILABLE, of what it was started without."""


@dataclass(frozen=True, slots=True)
class Answered:
    """To a request. `status`: as the protocol has it; `result`: right, refused or a fault."""

    result: str
    detail: str


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
