"""The best alpha from errors at a few alphas, and levels in order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dni_deploy.calibrating.best import GRID, best_alphas, monotone

GRID_01 = np.linspace(0, 1, GRID)


@pytest.mark.parametrize("best", [0.0, 0.04, 0.37, 0.5, 0.96, 1.0, -0.3, 1.2])
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.0, 4.0), (-0.5, 1.5)])
def test_the_lowest_point_of_a_parabola_is_found_between_the_alphas_that_were_tried(
    best: float, low: float, high: float
):
    grid = np.linspace(low, high, GRID)
    (found,) = best_alphas(grid, np.square(grid - best)[None] + 3)
    assert found == pytest.approx(min(high, max(low, best)))


def test_a_hill_has_no_lowest_point_but_its_ends():
    assert best_alphas(GRID_01, -np.square(GRID_01 - 0.4)[None]) == [1.0]


def test_errors_that_are_all_equal_are_no_reason_to_fail():
    assert 0 <= best_alphas(GRID_01, np.ones((1, GRID)))[0] <= 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 0.7, 0.3], [1.0, 0.7, 0.3]),
        ([0.1, 0.5, 0.9], [0.1, 0.5, 0.9]),
        ([1.0, 0.6, 0.8, 0.3], [1.0, 0.7, 0.7, 0.3]),
        ([1.0, 0.5, 0.6, 0.7, 0.0], [1.0, 0.6, 0.6, 0.6, 0.0]),
        ([0.0, 0.4, 0.2, 0.3, 1.0], [0.0, 0.3, 0.3, 0.3, 1.0]),
        ([0.5, 0.5], [0.5, 0.5]),
    ],
)
def test_levels_in_the_wrong_order_are_put_together(values: list[float], expected: list[float]):
    assert monotone(values) == pytest.approx(expected)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_the_result_is_in_order_and_as_near_as_any_straight_line_is(values: list[float]):
    found = monotone(values)
    steps = np.diff(found)
    assert (steps >= -1e-12).all() or (steps <= 1e-12).all()
    flat = np.square(np.array(values) - np.mean(values)).sum()
    line = np.polyval(np.polyfit(np.arange(len(values)), values, 1), np.arange(len(values)))
    assert np.square(found - values).sum() <= min(flat, np.square(line - values).sum()) + 1e-9
