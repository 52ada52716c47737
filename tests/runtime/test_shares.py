import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dni_runtime.shares import Path, shares_of, why_no_path

QUADRATIC, CUBIC = Path((1.0, 0.0), (1,)), Path((1.0, 0.0), (2,))


@st.composite
def paths(draw):
    steps = draw(st.lists(st.floats(1e-2, 50), min_size=1, max_size=5))
    first, sign = draw(st.floats(-100, 100)), draw(st.sampled_from([1, -1]))
    knots = tuple(float(knot) for knot in first + sign * np.cumsum([0, *steps]))
    return Path(knots, tuple(draw(st.integers(0, 2)) for _ in steps))


def test_without_a_path_alpha_holds_the_shares_of_all_but_the_last():
    assert shares_of((0.3,), None) == (0.3, 0.7)
    assert shares_of((0.25, 0.5), None) == (0.25, 0.5, 0.25)


def test_a_straight_piece_of_two_endpoints_is_the_line_itself():
    for alpha in np.linspace(0, 1, 11, dtype=np.float32).tolist():
        assert Path.even([0]).shares(alpha) == shares_of((alpha,), None)


def test_a_curve_is_bernstein_polynomials():
    assert QUADRATIC.shares(0.25) == (0.0625, 0.375, 0.5625)
    assert CUBIC.shares(0.25) == (0.015625, 0.140625, 0.421875, 0.421875)
    assert shares_of((0.25,), QUADRATIC) == QUADRATIC.shares(0.25)


def test_a_path_goes_from_knot_to_knot_and_leaves_the_others_out():
    path = Path((0.0, 1.0, 4.0), (0, 1))
    assert path.shares(0.25) == (0.75, 0.25, 0.0, 0.0)
    assert path.shares(2.5) == (0.0, 0.25, 0.5, 0.25)
    assert path.count == 4
    assert path.knot_numbers == (0, 1, 3)
    assert path.range == (0.0, 4.0)


def test_a_path_is_told_in_the_order_of_its_endpoints():
    path = Path((0.0, 1.5, 4.0), (2, 0))
    assert path.tell(["a", "m", "n", "b", "c"]) == "from a (0) around 2 middles to b (1.5) to c (4)"


def test_even_pieces_go_from_one_to_zero():
    assert Path.even([0, 2, 0, 0]) == Path((1.0, 0.75, 0.5, 0.25, 0.0), (0, 2, 0, 0))


@given(paths(), st.data())
def test_shares_are_none_below_zero_and_sum_to_one(path, data):
    alpha = data.draw(st.floats(*path.range))
    shares = path.shares(alpha)
    assert len(shares) == path.count
    assert min(shares) >= 0
    assert sum(shares) == pytest.approx(1, abs=1e-15)


@given(paths(), st.sampled_from([float, np.float32]))
def test_at_a_knot_its_endpoint_has_everything_also_where_alpha_is_float32(path, kind):
    for number, knot in zip(path.knot_numbers, path.knots, strict=True):
        assert path.shares(float(kind(knot))) == tuple(float(number == i) for i in range(path.count))


def test_beyond_the_last_knots_nothing_changes():
    assert QUADRATIC.shares(1 + 1e-6) == (1, 0, 0)
    assert QUADRATIC.shares(-1e-6) == (0, 0, 1)


@given(paths())
def test_a_path_of_the_tests_is_one(path):
    assert why_no_path(path.knots, path.middles) is None


@pytest.mark.parametrize(
    ("knots", "middles", "text"),
    [
        ([1], [], "1 knots and 0 pieces; expected two knots or more"),
        ([1, 0], [0, 0], "2 knots and 2 pieces; expected .* a piece between each two"),
        ([1, 0], [3], r"pieces with \[3\] middles; expected 0 to 2 each"),
        ([1, 0], [True], "expected 0 to 2 each"),
        ([0, 1, 0.5], [0, 0], r"knots at \[0, 1, 0.5\]; expected numbers that rise or fall"),
        ([0, 0], [0], "rise or fall"),
        ([0, 1e-4], [0], "by 0.001 or more"),
        ([0, float("nan")], [0], r"knots at \[0, NaN\]; expected numbers within 1e\+06"),
        ([0, 10**400], [0], r"expected numbers within 1e\+06"),
        ([999_999, 999_999.01], [0], "rise or fall"),
    ],
)
def test_what_is_no_path(knots, middles, text):
    assert re.search(text, why_no_path(knots, middles) or "")
