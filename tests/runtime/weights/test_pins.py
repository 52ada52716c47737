"""Pins without models: sessions are words, made when the test allows it."""

import logging
import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from alpha_policies import PATIENCE_S, in_thread, waited_for

from dni_runtime.alpha import Key
from dni_runtime.weights.pins import Pins

ONE, TWO, THREE = (0.1,), (0.2,), (0.3,)


class Maker:
    """Makes a session only once `allow` was called for it; `next_started` waits until it has begun to."""

    def __init__(self) -> None:
        self.made: list[Key] = []
        self._started: queue.Queue[Key] = queue.Queue()
        self._allowed = threading.Semaphore(0)
        self.errors: dict[Key, Exception] = {}

    def __call__(self, alpha: Key) -> str:
        self.worker = threading.current_thread()
        self._started.put(alpha)
        assert self._allowed.acquire(timeout=PATIENCE_S)
        self.made.append(alpha)
        if alpha in self.errors:
            raise self.errors[alpha]
        return f"session {alpha[0]}"

    def next_started(self) -> Key:
        return self._started.get(timeout=PATIENCE_S)

    def allow(self, count: int = 1) -> None:
        self._allowed.release(count)


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def pins(maker: Maker) -> Iterator[Pins]:
    pins = Pins(maker, limit=2)
    yield pins
    maker.allow(100)
    pins.close()


def test_nobody_waits_for_a_session_that_is_being_made(pins: Pins, maker: Maker):
    pins.request(ONE)
    assert maker.next_started() == ONE
    assert pins.get(ONE) is None
    pins.request(ONE)
    pins.request(TWO)
    assert pins.get(TWO) is None
    assert not pins.wait(ONE, timeout_s=0)
    maker.allow()
    assert pins.wait(ONE, PATIENCE_S)
    assert pins.get(ONE) == "session 0.1"
    maker.allow()
    assert pins.wait(TWO, PATIENCE_S)
    assert maker.made == [ONE, TWO]


def test_of_several_requests_the_latest_is_served(pins: Pins, maker: Maker):
    pins.request(ONE)
    maker.next_started()
    pins.request(TWO)
    pins.request(THREE)
    maker.allow(2)
    assert pins.wait(THREE, PATIENCE_S)
    assert maker.made == [ONE, THREE]


def test_waiting_requests_what_nobody_has(pins: Pins, maker: Maker):
    maker.allow()
    assert pins.wait(ONE)
    assert pins.wait(ONE)
    assert maker.made == [ONE]


def test_the_longest_unused_is_given_up(pins: Pins, maker: Maker):
    maker.allow(3)
    assert pins.wait(ONE) and pins.wait(TWO)
    pins.get(ONE)
    assert pins.wait(THREE)
    assert [pins.get(alpha) is not None for alpha in (ONE, TWO, THREE)] == [True, False, True]


def test_one_is_kept_whatever_the_limit(maker: Maker):
    pins = Pins(maker, limit=0)
    maker.allow(2)
    assert pins.wait(ONE) and pins.wait(TWO)
    assert (pins.get(ONE), pins.get(TWO)) == (None, "session 0.2")
    pins.close()


def test_a_failure_is_logged_and_not_tried_again(pins: Pins, maker: Maker, caplog: pytest.LogCaptureFixture):
    maker.errors[ONE] = OSError("the disk is gone")
    maker.allow(10)
    with caplog.at_level(logging.WARNING, "dni_runtime"):
        assert not pins.wait(ONE, PATIENCE_S)
        assert not pins.wait(ONE, PATIENCE_S)
    assert caplog.messages == ["alpha (0.1,) could not be pinned: the disk is gone"]
    assert pins.wait(TWO, PATIENCE_S)
    assert maker.made == [ONE, TWO]


def test_a_thread_that_cannot_start_costs_speed_only(
    pins: Pins, maker: Maker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        pins.request(ONE)
    assert caplog.messages == ["alpha (0.1,) could not be pinned: can't start new thread"]
    assert not pins.wait(ONE)
    maker.allow()
    assert pins.wait(TWO)


def test_an_idle_pins_has_no_thread(pins: Pins, maker: Maker):
    pins.request(ONE)
    maker.next_started()
    maker.allow()
    maker.worker.join(PATIENCE_S)
    assert not maker.worker.is_alive()
    maker.allow()
    assert pins.wait(TWO)  # with another one


def test_obtaining_makes_a_session_once(pins: Pins, maker: Maker):
    answers = [in_thread(lambda: pins.obtain(ONE)) for _ in range(4)]
    maker.next_started()
    maker.allow()
    assert [answer.get(timeout=PATIENCE_S) for answer in answers] == ["session 0.1"] * 4
    assert maker.made == [ONE]


def test_obtaining_raises_what_making_does(pins: Pins, maker: Maker):
    maker.errors[ONE] = OSError("the disk is gone")
    maker.allow(2)
    for _ in range(2):
        with pytest.raises(OSError, match="the disk is gone"):
            pins.obtain(ONE)
    assert maker.made == [ONE, ONE]


def test_closing_waits_for_the_session_that_is_being_made(pins: Pins, maker: Maker):
    pins.request(ONE)
    maker.next_started()
    pins.request(TWO)
    waited = waited_for(maker.worker)
    waiting = in_thread(lambda: pins.wait(ONE))
    closed = in_thread(pins.close)
    assert waited.wait(PATIENCE_S)
    assert closed.empty()
    maker.allow()
    closed.get(timeout=PATIENCE_S)
    assert not maker.worker.is_alive()
    assert waiting.get(timeout=PATIENCE_S) is False
    assert maker.made == [ONE]
    assert pins.get(ONE) is None


def test_a_closed_one_makes_nothing_in_the_background(pins: Pins, maker: Maker):
    pins.close()
    pins.close()
    maker.allow(2)
    pins.request(ONE)
    assert not pins.wait(ONE)
    assert maker.made == []
    assert pins.obtain(ONE) == "session 0.1"  # for a call that began before
    assert pins.get(ONE) is None


def test_freeing_a_session_holds_nobody_up():
    freeing, go_on = threading.Event(), threading.Event()

    class Slow:
        def __del__(self) -> None:
            freeing.set()
            go_on.wait(PATIENCE_S)

    sessions: dict[Key, Any] = {ONE: Slow(), TWO: "next"}
    pins = Pins(sessions.pop, limit=1)
    assert pins.wait(ONE)
    pins.request(TWO)
    assert freeing.wait(PATIENCE_S)
    answer = in_thread(lambda: pins.get(TWO))
    assert answer.get(timeout=PATIENCE_S) == "next"
    assert not go_on.is_set()
    go_on.set()
    pins.close()
