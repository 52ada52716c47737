"""Measuring: rounds in random order, shares of the time, ratios within a round, and alphas that are new."""

import random
import time

import pytest

from dni_deploy.bench.measuring.race import Effort, race
from dni_deploy.bench.measuring.runner import draw_alpha
from dni_deploy.bench.measuring.spread import paired_ratios, spread, values_of


def test_the_order_changes_and_nobody_is_left_out():
    called: list[str] = []
    entries = {name: lambda name=name: called.append(name) or 1.0 for name in "abc"}
    rounds = race(entries, "abc", Effort(seconds=60, rounds=20), random.Random(0))
    assert all(set(taken) == set("abc") for taken in rounds)
    orders = {tuple(called[i : i + 3]) for i in range(0, 60, 3)}
    assert len(orders) == 6


def test_others_sit_out_when_their_share_is_used_up_and_the_core_does_not():
    slow = {name: lambda: time.sleep(0.02) or 0.02 for name in ("core", "other")}
    rounds = race(slow, ["core"], Effort(seconds=0.6, fewest=2), random.Random(0))
    assert len(values_of(rounds, "core")) == len(rounds)
    assert 2 <= len(values_of(rounds, "other")) < len(rounds) / 2


def test_the_fewest_rounds_are_run_however_long_they_take_and_none_without_time():
    entries = {"a": lambda: time.sleep(0.05) or 0.05}
    assert len(race(entries, "a", Effort(seconds=0.001, fewest=3), random.Random(0))) == 3
    assert race(entries, "a", Effort(seconds=0), random.Random(0)) == []


def test_ratios_cancel_what_slows_a_whole_round():
    rounds = [{"a": 1.1 * slow, "b": slow} for slow in (1.0, 5.0, 2.0)] + [{"b": 1.0}]
    assert paired_ratios(rounds, "a", "b") == pytest.approx([1.1, 1.1, 1.1])


def test_a_spread_holds_median_quartiles_and_p95():
    found = spread([float(i) for i in range(101)], factor=1e3)
    assert found is not None
    assert (found.low, found.median, found.high, found.p95, found.count) == (25e3, 50e3, 75e3, 95e3, 101)
    assert spread([]) is None


@pytest.mark.parametrize(("alpha_range", "count"), [((0, 1), 1), ((-0.5, 1.5), 1), ((0, 1), 3), ((-0.5, 1.5), 2)])
def test_drawn_alphas_are_valid_and_new(alpha_range: tuple[float, float], count: int):
    from dni_runtime import check_alpha

    draw = random.Random(0)
    drawn = {draw_alpha(alpha_range, count, draw) for _ in range(500)}
    assert len(drawn) == 500
    for alpha in drawn:
        assert check_alpha(alpha, alpha_range, count) == alpha
