"""Alphas as texts of the command line."""

import pytest

from dni_deploy.cli.parsers import LIMIT, parse_alphas
from dni_runtime import InputError


@pytest.mark.parametrize(
    ("text", "alphas"),
    [
        ("0.3", [0.3]),
        ("1", [1.0]),
        (" 0.3 ", [0.3]),
        ("-0.5", [-0.5]),
        ("1e-7", [1e-7]),
        ("0.2,0.5", [(0.2, 0.5)]),
        ("0.2, 0.5", [(0.2, 0.5)]),
        ("0.1,0.2,0.3", [(0.1, 0.2, 0.3)]),
        ("alpha=0.2,late=0.5", [{"alpha": 0.2, "late": 0.5}]),
        (" late = 1 , alpha=-1e-3", [{"late": 1.0, "alpha": -1e-3}]),
        ("alpha=1,late=0:1:0.5", [{"alpha": 1.0, "late": late} for late in (0.0, 0.5, 1.0)]),
        ("a=0:1:1,b=0:1:1", [{"a": a, "b": b} for a in (0.0, 1.0) for b in (0.0, 1.0)]),
        ("0:1:0.5", [0.0, 0.5, 1.0]),
        ("-0.5:1.5:1", [-0.5, 0.5, 1.5]),
        ("0.5:0.5:0.1", [0.5]),
        ("0:1:2", [0.0]),
        ("1:0:-0.5", [1.0, 0.5, 0.0]),
    ],
)
def test_what_texts_stand_for(text: str, alphas: list[object]):
    assert parse_alphas(text) == alphas


def test_a_range_holds_the_numbers_that_people_mean():
    # In floats 3 * 0.1 is 0.30000000000000004, and ten steps of 0.1 end below 1.
    assert parse_alphas("0:1:0.1") == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert parse_alphas("0:1:0.01") == [index / 100 for index in range(101)]
    assert parse_alphas("0.1:0.7:0.2") == [0.1, 0.3, 0.5, 0.7]


def test_a_range_ends_before_an_end_that_no_step_lands_on():
    assert parse_alphas("0:1:0.3") == [0.0, 0.3, 0.6, 0.9]
    assert parse_alphas("0:0.99:0.33") == [0.0, 0.33, 0.66, 0.99]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "half",
        "=",
        "a=",
        "=0.5",
        "a=0.5,",
        "a=0.5,a=0.6",
        "a=0.5=6",
        "a=0:1",
        "a=b",
        "0.3,a=0.5",
        "0.3x",
        "0,5,",
        ",",
        "0:1",
        "0:1:",
        "0:1:0",
        "0:1:0.1:2",
        "a:1:0.1",
        ":",
        "0:inf:1",
        "nan:1:0.1",
    ],
)
def test_texts_that_are_no_alpha(text: str):
    with pytest.raises(
        InputError, match=r"is no alpha; expected a number .* two numbers .* for three endpoints, or one for each knob"
    ) as error:
        parse_alphas(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize(
    ("text", "count"), [("1:0:0.1", 0), ("0:1:-0.1", 0), ("0.5:0:1", 0), ("0:1:-2", 0), (f"0:{LIMIT}:1", LIMIT + 1)]
)
def test_ranges_of_none_or_too_many(text: str, count: int):
    with pytest.raises(InputError, match=rf"stands for {count} alphas; expected LO <= HI and at most {LIMIT}"):
        parse_alphas(text)


def test_the_largest_range():
    assert len(parse_alphas(f"1:{LIMIT}:1")) == LIMIT
