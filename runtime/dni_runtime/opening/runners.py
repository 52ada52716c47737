"""The ways in which a model may run; all of them take an image and an alpha, and give the same pixels."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

from dni_runtime.alpha import Key
from dni_runtime.signature import Signature

if TYPE_CHECKING:
    from dni_runtime.providers.sessions import Place
    from dni_runtime.weights.pins import Pins

Tensor = npt.NDArray[Any]

RECENT_CALLS = 8
"""An alpha that came back within so many calls is one that holds; two users of one model may take turns."""


class Runner(Protocol):
    """note: one sentence on how alpha is applied."""

    note: str

    def run(self, x: Tensor, alpha: Key | None) -> Tensor:
        """The output for `x`, (N, C, H, W) of the model's own dtype; alpha is None where there is none."""

    def settle(self, timeout_s: float | None) -> bool:
        """Wait until the last call's alpha runs as fast as it will; False if that did not come about in time."""

    def close(self) -> None:
        """Free what is held; calls that are running finish."""


class Plain:
    """The graph as it is in the file: alpha, if it has one, is blended with every call."""

    def __init__(self, session: Any, signature: Signature, place: Place, note: str) -> None:
        self.note = note
        self._session: Any = session
        self._place = place
        self._signature = signature
        self._outputs = [signature.output_name]

    def run(self, x: Tensor, alpha: Key | None) -> Tensor:
        feed, session = self._signature.feed(x, alpha), self._session
        (y,) = self._place.in_turn(lambda: session.run(self._outputs, feed))
        result: Tensor = y
        return result

    def settle(self, timeout_s: float | None) -> bool:
        return True

    def close(self) -> None:
        self._place.in_turn(self._release)

    def _release(self) -> None:
        self._session = None


class Pinning:
    """A pinned session while alpha holds, `moving` while it moves; no call waits for a pin (on a GPU, for its turn)."""

    def __init__(self, moving: Runner, pins: Pins, signature: Signature, place: Place) -> None:
        self._place = place
        self.note = f"{moving.note}; pinned in the background while it holds"
        self._moving = moving
        self._pins = pins
        self._signature = signature
        self._recent: deque[Key] = deque(maxlen=RECENT_CALLS)
        self._lock = threading.Lock()

    def run(self, x: Tensor, alpha: Key | None) -> Tensor:
        assert alpha is not None
        with self._lock:
            holds = alpha in self._recent
            self._recent.append(alpha)
        if (session := self._pins.get(alpha)) is not None:
            return _run_pinned(session, self._signature, self._place, x)
        y = self._moving.run(x, alpha)
        if holds:
            self._pins.request(alpha)
        return y

    def settle(self, timeout_s: float | None) -> bool:
        with self._lock:
            alpha = self._recent[-1] if self._recent else None
        return alpha is None or self.hold(alpha, timeout_s)

    def hold(self, alpha: Key, timeout_s: float | None) -> bool:
        """Have a session pinned to `alpha`, as if it had held; whether it is there after `timeout_s`, or at last."""
        return self._pins.wait(alpha, timeout_s)

    def close(self) -> None:
        self._pins.close()
        self._moving.close()


class AlwaysPinned:
    """A pinned session for every alpha; the first call with a new one waits for it.

    `fall_back` makes the runner for an alpha that cannot be pinned.
    """

    note = "alpha is pinned for every call, the first one with a new alpha waits"

    def __init__(self, pins: Pins, signature: Signature, place: Place, fall_back: Callable[[], Runner]) -> None:
        self._place = place
        self._pins = pins
        self._signature = signature
        self._make_other = fall_back
        self._other: Runner | None = None
        self._lock = threading.Lock()

    def run(self, x: Tensor, alpha: Key | None) -> Tensor:
        assert alpha is not None
        try:
            session = self._pins.obtain(alpha)
        except Exception:  # speed is lost, no answer; if the model is at fault, the other runner says so
            return self._fall_back().run(x, alpha)
        return _run_pinned(session, self._signature, self._place, x)

    def settle(self, timeout_s: float | None) -> bool:
        return True

    def close(self) -> None:
        self._pins.close()
        if self._other is not None:
            self._other.close()

    def _fall_back(self) -> Runner:
        with self._lock:
            if self._other is None:
                self._other = self._make_other()
            return self._other


def _run_pinned(session: Any, signature: Signature, place: Place, x: Tensor) -> Tensor:
    (y,) = place.in_turn(lambda: session.run([signature.output_name], {signature.input_name: x}))
    result: Tensor = y
    return result
