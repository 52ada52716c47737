import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dni_runtime import AlphaError, check_alpha, format_alpha


@pytest.mark.parametrize("alpha", [0.25, np.float32(0.25), np.array(0.25), np.array([0.25]), [0.25], (0.25,)])
def test_one_number_in_any_wrapping(alpha):
    assert check_alpha(alpha, (0, 1)) == (0.25,)


@given(st.floats(0, 1))
def test_every_number_in_range_is_kept_exactly(alpha):
    assert check_alpha(alpha, (0, 1)) == (alpha,)


@pytest.mark.parametrize("alpha", [float("nan"), float("inf"), -float("inf"), -0.1, 1.1, 1 + 1e-5])
def test_out_of_range_names_range_and_remedy(alpha):
    with pytest.raises(AlphaError, match=r"is out of range; expected a finite number in 0\.\.1\. .*--alpha-range"):
        check_alpha(alpha, (0, 1))


@pytest.mark.parametrize("alpha", ["strong", "", object(), [[0.1], [0.2, 0.3]]])
def test_not_a_number(alpha):
    with pytest.raises(AlphaError, match=r"alpha is .*; expected a finite number in 0\.\.1"):
        check_alpha(alpha, (0, 1))


def test_none_is_no_number():
    with pytest.raises(AlphaError, match=r"alpha is None; expected a finite number in 0\.\.1"):
        check_alpha(None, (0, 1))


def test_rounding_at_the_ends_is_forgiven():
    assert check_alpha(sum([0.1] * 10) + 1e-7, (0, 1))
    assert check_alpha(-1e-7, (0, 1))


def test_wider_range():
    assert check_alpha(1.5, (-1, 2)) == (1.5,)


def test_several_shares():
    assert check_alpha([0.2, 0.3], (0, 1), count=2) == (0.2, 0.3)
    with pytest.raises(AlphaError, match=r"1 value\(s\); expected 2 finite numbers"):
        check_alpha(0.2, (0, 1), count=2)
    with pytest.raises(AlphaError, match=r"alpha 0.7,0.6 is out of range; .*their sum in 0\.\.1"):
        check_alpha([0.7, 0.6], (0, 1), count=2)


KNOBS = ("alpha", "late")


@pytest.mark.parametrize("alpha", [(0.9, 0.8), {"late": 0.8, "alpha": np.float32(0.9)}, {"alpha": 0.9, "late": 0.8}])
def test_knobs_are_numbers_of_their_own_in_order_or_by_name(alpha):
    assert check_alpha(alpha, (0, 1), count=2, knobs=KNOBS) == pytest.approx((0.9, 0.8))


@pytest.mark.parametrize("alpha", [0.3, [0.3], np.float32(0.3)])
def test_one_number_stands_for_all_knobs(alpha):
    assert check_alpha(alpha, (0, 1), count=2, knobs=KNOBS) == pytest.approx((0.3, 0.3))


@pytest.mark.parametrize(
    "alpha", [(0.1, 0.2, 0.3), {}, {"late": 0.3}, {"alpha": 0.1, "late": 0.3, "x": 0}, {"alpha": 0.1, 2: 0.3}, {0, 1}]
)
def test_knobs_that_are_too_few_or_unknown_are_told_with_their_names(alpha):
    with pytest.raises(
        AlphaError, match=r"alpha is .*expected a finite number in 0\.\.1, or 2 of them, for alpha, late"
    ):
        check_alpha(alpha, (0, 1), count=2, knobs=KNOBS)


@pytest.mark.parametrize("alpha", [(0.1, 1.2), {"alpha": float("nan"), "late": 0.1}, -0.1])
def test_a_knob_out_of_range(alpha):
    with pytest.raises(AlphaError, match=r"is out of range; .*for alpha, late"):
        check_alpha(alpha, (0, 1), count=2, knobs=KNOBS)


def test_names_are_for_knobs():
    with pytest.raises(AlphaError, match=r"alpha is \{'alpha': 0.5\}; expected a finite number in 0\.\.1"):
        check_alpha({"alpha": 0.5}, (0, 1))


def test_too_many_values():
    with pytest.raises(AlphaError, match=r"2 value\(s\); expected a finite number"):
        check_alpha([0.1, 0.2], (0, 1))


def test_alpha_error_is_a_value_error():
    assert issubclass(AlphaError, ValueError)


@pytest.mark.parametrize(("values", "text"), [((0.3,), "0.3"), ((1.0,), "1"), ((0.2, 0.5), "0.2,0.5")])
def test_format(values, text):
    assert format_alpha(values) == text


@given(st.floats(0, 1), st.floats(0, 1))
def test_format_can_be_read_back(a, b):
    read = [float(text) for text in format_alpha((a, b)).split(",")]
    assert read == pytest.approx([a, b], rel=1e-9, abs=1e-300)
