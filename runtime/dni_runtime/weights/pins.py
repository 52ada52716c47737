"""Sessions pinned to an alpha, made in the background, the longest unused one given up first."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from dni_runtime.alpha import Key

# What a session costs besides weights: threads of its own, one for each core, and their stacks.
_SESSION_BYTES = 8 * 2**20
_log = logging.getLogger("dni_runtime")


def pins_in(cache_bytes: int, weight_bytes: int, endpoints: int) -> int:
    """How many pinned sessions so much memory has room for; `weight_bytes`: of all endpoints."""
    return cache_bytes // (weight_bytes // (endpoints or 2) + _SESSION_BYTES)


class Pins:
    """Pinned sessions by alpha. Threads may share it.

    `make(alpha)` makes a session, in a thread of its own. `limit` sessions are kept, one at least. An alpha
    whose pin failed is not tried again.
    """

    def __init__(self, make: Callable[[Key], Any], limit: int) -> None:
        self._make = make
        self._limit = max(1, limit)
        self._sessions: OrderedDict[Key, Any] = OrderedDict()
        self._failures: set[Key] = set()
        self._wanted: Key | None = None
        self._making: Key | None = None
        self._worker: threading.Thread | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._making_now = threading.Lock()

    def get(self, alpha: Key) -> Any | None:
        """The session for `alpha` if there is one; never waits for it."""
        with self._changed:
            session = self._sessions.get(alpha)
            if session is not None:
                self._sessions.move_to_end(alpha)
            return session

    def request(self, alpha: Key) -> None:
        """Have a session made for `alpha`; of several requests the latest is served."""
        with self._changed:
            if self._closed or alpha in self._sessions or alpha in self._failures or alpha == self._making:
                return
            self._wanted = alpha
            if self._worker is None:
                # A thread for this work only: an idle one would keep the process from ending, and one that
                # ends with the process would be killed inside ONNX Runtime.
                worker = threading.Thread(target=self._work, name="dni-pin")
                try:
                    worker.start()
                except RuntimeError as error:  # too many threads, or the process ends
                    self._wanted = None
                    self._failures.add(alpha)
                    _log.warning("alpha %s could not be pinned: %s", alpha, error)
                else:
                    self._worker = worker

    def wait(self, alpha: Key, timeout_s: float | None = None) -> bool:
        """Request a session for `alpha` and wait for it; False after `timeout_s`, or if it could not be made."""
        self.request(alpha)
        with self._changed:
            self._changed.wait_for(lambda: not self._pending(alpha), timeout_s)
            return alpha in self._sessions

    def obtain(self, alpha: Key) -> Any:
        """The session for `alpha`, made here and now if there is none. Raises what `make` raises."""
        with self._making_now:
            if (session := self.get(alpha)) is None:
                session = self._make(alpha)
                with self._changed:
                    given_up = self._keep(alpha, session)
                given_up.clear()
            return session

    def close(self) -> None:
        """Forget all sessions; waits for the one that is being made. Calls that run with one finish."""
        with self._changed:
            self._closed, self._wanted = True, None
            worker = self._worker
        if worker is not None and worker is not threading.current_thread():
            worker.join()
        with self._changed:
            given_up = [self._sessions.popitem() for _ in range(len(self._sessions))]
            self._changed.notify_all()
        given_up.clear()

    def _pending(self, alpha: Key) -> bool:
        return not self._closed and alpha in (self._wanted, self._making)

    def _work(self) -> None:
        given_up: list[Any] = []
        while True:
            given_up.clear()
            with self._changed:
                alpha, self._wanted = self._wanted, None
                self._making = alpha
                if alpha is None:
                    self._worker = None
                    return
            session = None
            try:
                session = self._make(alpha)
            except Exception as error:  # speed is lost, no answer: calls go on without a pin
                _log.warning("alpha %s could not be pinned: %s", alpha, error)
            with self._changed:
                self._making = None
                if session is None:
                    self._failures.add(alpha)
                else:
                    given_up = self._keep(alpha, session)
                self._changed.notify_all()

    def _keep(self, alpha: Key, session: Any) -> list[Any]:
        """Keep `session`; returns those that make room for it, to be freed without the lock: that takes a while."""
        if self._closed:
            return [session]
        self._sessions[alpha] = session
        return [self._sessions.popitem(last=False) for _ in range(len(self._sessions) - self._limit)]
