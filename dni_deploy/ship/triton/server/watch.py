"""A watch on the models of a running server.

Triton says that it is ready, and that its models are, also when the process that runs a model has ended: every request
for it is then answered with an error, for ever. Only a model that answers is there.
"""

import http.client
import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from dni_deploy.ship.triton.model_folder.tiny_request import tiny_request

from .running import Addresses

# Not more than a twentieth of a model's time, but where it is busy: how long the question waited is in its duration.
_PAUSE_S, _LONGEST_PAUSE_S, _SHARE = 1.0, 10.0, 20
# Memory may be short for once. Of several instances of a model one may have ended, which is not asked every time.
_FAILURES, _ANSWERS, _FAILURE_PAUSE_S = 2, 10, 0.5
# It waits for its turn, as requests do, behind whole photographs.
_TIMEOUT_S = 600.0


class Watch:
    """A context manager: inside its block each of `models`, configurations by name, is asked now and then.

    lost: what does not answer any more, and what the server says instead; None while all do.
    """

    def __init__(self, addresses: Addresses, models: Mapping[str, Any]) -> None:
        self.lost: str | None = None
        self._addresses = addresses
        self._ended = threading.Event()
        # A question that waits for its turn is given up with the process.
        self._threads = [threading.Thread(target=self._watch, args=pair, daemon=True) for pair in models.items()]

    def __enter__(self) -> "Watch":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def _watch(self, name: str, config: Any) -> None:
        failed, pause_s = deque([False], maxlen=_ANSWERS), _PAUSE_S
        while not self._ended.wait(pause_s):
            started = time.monotonic()
            request = tiny_request(config, list(secrets.token_bytes(3)))
            error = None if request is None else _ask(self._addresses, name, request)
            failed.append(error is not None)
            if error is not None and sum(failed) == _FAILURES:
                self.lost = f"{name} does not answer: {error.rstrip('.')}"
                return
            took_s = time.monotonic() - started
            pause_s = _FAILURE_PAUSE_S if error else min(max(_PAUSE_S, _SHARE * took_s), _LONGEST_PAUSE_S)


def _ask(addresses: Addresses, name: str, request: str) -> str | None:
    """What the server says where it has failed; None where the model answers, is not loaded, or nobody is there."""
    connection = http.client.HTTPConnection(addresses.reachable, addresses.http, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", f"/v2/models/{name}/infer", request, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    if response.status != http.HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return "status 500"
