"""A race by a clock of the test's own: who is called how often, and what is measured: every second call."""

from collections import Counter
from collections.abc import Callable, Mapping

import pytest

from dni_runtime.fastest.race import Times, race


class Track:
    """Calls that take the seconds that the test says, one after another, the last one again and again."""

    def __init__(self, seconds: Mapping[str, list[float]]) -> None:
        self.now = 0.0
        self.calls: Counter[str] = Counter()
        self._seconds = seconds

    def way(self, name: str) -> Callable[[], None]:
        def run() -> None:
            times = self._seconds[name]
            self.now += times[min(self.calls[name], len(times) - 1)]
            self.calls[name] += 1

        return run

    def race(self) -> Times:
        def pause(seconds: float) -> None:
            self.now += seconds

        return race({name: self.way(name) for name in self._seconds}, clock=lambda: self.now, pause=pause)


def test_the_quickest_calls_in_turns():
    track = Track({"a": [0.5, 0.010], "b": [0.009], "c": [0.011]})
    times = track.race()
    assert times.seconds == pytest.approx({"a": 0.010, "b": 0.009, "c": 0.011})
    assert times.calm
    assert track.calls["a"] == track.calls["b"] == track.calls["c"]


def test_who_is_far_behind_is_timed_twice_to_be_sure_and_not_again():
    track = Track({"a": [0.010], "b": [0.016], "once disturbed": [0.1, 0.011, 0.010]})
    assert track.race().seconds["b"] == pytest.approx(0.016)
    assert track.calls["b"] == 2 * 2
    assert track.calls["a"] == track.calls["once disturbed"] > 2 * 2


def test_long_calls_are_timed_three_times():
    track = Track({"a": [2.0], "b": [2.1]})
    track.race()
    assert track.calls == {"a": 2 * 3, "b": 2 * 3}


def test_nobody_is_raced_alone():
    track = Track({"a": [0.010]})
    assert track.race().seconds == pytest.approx({"a": 0.010})
    assert track.calls == {"a": 2 * 3}


@pytest.mark.parametrize(("disturbed", "calm"), [(1, True), (33, False)])
def test_calls_that_mostly_take_longer_than_they_need_are_told(disturbed: int, calm: bool):
    track = Track({"a": [0.010] * 4 + [0.02] * disturbed + [0.010], "b": [0.010]})
    times = track.race()
    assert times.seconds == pytest.approx({"a": 0.010, "b": 0.010})
    assert times.calm is calm
