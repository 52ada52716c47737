"""Runners over fake sessions that answer with their name: who answers a call, and when a pin is asked for."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from alpha_policies import PATIENCE_S

from dni_runtime.alpha import Key
from dni_runtime.opening.runners import AlwaysPinned, Pinning
from dni_runtime.providers.sessions import Place
from dni_runtime.signature import Signature
from dni_runtime.weights.pins import Pins

SIGNATURE = Signature(
    "image", "result", (None, 3, None, None), np.dtype(np.float32), "alpha", (1,), np.dtype(np.float32)
)
X = np.zeros((1, 3, 4, 4), np.float32)
ONE, TWO = (0.1,), (0.2,)


class Session:
    """What ONNX Runtime's sessions have; its answer is a word."""

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def run(self, outputs: list[str], feed: dict[str, Any]) -> list[Any]:
        assert outputs == ["result"]
        assert feed.keys() == {"image"}
        return [self.answer]


class Moving:
    """The runner of an alpha that moves."""

    note = "blends"

    def __init__(self) -> None:
        self.alphas: list[Key | None] = []
        self.closed = False

    def run(self, x: Any, alpha: Key | None) -> Any:
        self.alphas.append(alpha)
        return "moving"

    def settle(self, timeout_s: float | None) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


class Maker:
    """Makes pinned sessions while `open` is set; `begun` says that it was asked to."""

    def __init__(self) -> None:
        self.alphas: list[Key] = []
        self.begun, self.open = threading.Event(), threading.Event()
        self.error: Exception | None = None

    def __call__(self, alpha: Key) -> Session:
        self.alphas.append(alpha)
        self.begun.set()
        assert self.open.wait(PATIENCE_S)
        if self.error is not None:
            raise self.error
        return Session(f"pinned to {alpha[0]}")


@pytest.fixture
def maker() -> Iterator[Maker]:
    maker = Maker()
    yield maker
    maker.open.set()


@pytest.fixture
def moving() -> Moving:
    return Moving()


@pytest.fixture
def pinning(maker: Maker, moving: Moving) -> Iterator[Pinning]:
    pinning = Pinning(moving, Pins(maker, limit=2), SIGNATURE, Place("cpu"))
    yield pinning
    maker.open.set()
    pinning.close()


def test_calls_go_on_while_a_pin_is_made(pinning: Pinning, maker: Maker):
    """`maker` is shut all the while: a call that waited for it would never come back."""
    answers = [pinning.run(X, ONE), pinning.run(X, ONE)]
    assert maker.begun.wait(PATIENCE_S)
    answers += [pinning.run(X, alpha) for alpha in (ONE, TWO, TWO, (0.3,), ONE, TWO)]
    assert answers == ["moving"] * 8
    assert not pinning.settle(timeout_s=0)
    maker.open.set()
    assert pinning.settle(PATIENCE_S)
    assert pinning.run(X, TWO) == "pinned to 0.2"


def test_alpha_is_pinned_once_it_comes_back(pinning: Pinning, maker: Maker):
    maker.open.set()
    assert [pinning.run(X, ONE), pinning.run(X, TWO)] == ["moving"] * 2
    assert maker.alphas == []
    assert pinning.run(X, ONE) == "moving"
    assert pinning.settle(PATIENCE_S)
    assert maker.alphas == [ONE]
    assert pinning.run(X, ONE) == "pinned to 0.1"


def test_a_moving_alpha_is_never_pinned(pinning: Pinning, maker: Maker):
    maker.open.set()
    for round_ in range(3):
        for step in range(10):  # an alpha comes back, but only after nine others
            pinning.run(X, (step / 10,))
        assert maker.alphas == [], round_
    assert not maker.begun.is_set()


def test_two_users_who_take_turns_are_both_pinned(pinning: Pinning, maker: Maker):
    maker.open.set()
    for alpha in (ONE, TWO, ONE):
        pinning.run(X, alpha)
    assert pinning.settle(PATIENCE_S)
    pinning.run(X, TWO)
    assert pinning.settle(PATIENCE_S)
    assert [pinning.run(X, ONE), pinning.run(X, TWO)] == ["pinned to 0.1", "pinned to 0.2"]


def test_settling_pins_an_alpha_that_came_once(pinning: Pinning, maker: Maker):
    maker.open.set()
    assert pinning.settle(timeout_s=0)  # nothing to wait for before the first call
    pinning.run(X, ONE)
    assert pinning.settle(None)
    assert pinning.run(X, ONE) == "pinned to 0.1"


def test_a_pin_that_fails_costs_speed_only(pinning: Pinning, maker: Maker):
    maker.error = OSError("the disk is gone")
    maker.open.set()
    for _ in range(4):
        assert pinning.run(X, ONE) == "moving"
        assert not pinning.settle(PATIENCE_S)
    assert maker.alphas == [ONE]


def test_closing_closes_both(pinning: Pinning, maker: Maker, moving: Moving):
    maker.open.set()
    pinning.run(X, ONE)
    pinning.settle(PATIENCE_S)
    pinning.close()
    assert moving.closed
    assert not pinning.settle(PATIENCE_S)


def always(maker: Maker, fall_back: Callable[[], Any]) -> AlwaysPinned:
    maker.open.set()
    return AlwaysPinned(Pins(maker, limit=1), SIGNATURE, Place("cpu"), fall_back)


def test_always_pinned_makes_one_session_for_an_alpha(maker: Maker):
    runner = always(maker, Moving)
    assert [runner.run(X, alpha) for alpha in (ONE, ONE, TWO, ONE)] == [
        "pinned to 0.1",
        "pinned to 0.1",
        "pinned to 0.2",
        "pinned to 0.1",
    ]
    assert maker.alphas == [ONE, TWO, ONE]  # room for one
    assert runner.settle(0)
    runner.close()


def test_always_pinned_falls_back(maker: Maker):
    maker.error = OSError("the disk is gone")
    made: list[Moving] = []

    def fall_back() -> Moving:
        made.append(Moving())
        return made[-1]

    runner = always(maker, fall_back)
    assert [runner.run(X, alpha) for alpha in (ONE, TWO)] == ["moving"] * 2
    (other,) = made
    assert other.alphas == [ONE, TWO]
    runner.close()
    assert other.closed


def test_always_pinned_says_what_is_wrong_with_both(maker: Maker):
    maker.error = OSError("no pin")

    def fall_back() -> Moving:
        raise OSError("no model")

    runner = always(maker, fall_back)
    with pytest.raises(OSError, match="no model"):
        runner.run(X, ONE)
    runner.close()
