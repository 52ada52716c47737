"""Which parameters a knob is for: by patterns, each in one knob at most, and what is wrong with a pattern told."""

from collections.abc import Mapping, Sequence

import pytest
import torch

from dni_exporters.graphs.formula import Formula
from dni_exporters.sources import Route
from dni_runtime import EndpointError
from dni_runtime.shares import Path

NAMES = ["head.weight", "head.bias", "body.0.weight", "body.0.bias", "tail.weight"]


def states(equal: Sequence[str] = ()) -> list[dict[str, torch.Tensor]]:
    first = {name: torch.full((2,), number / 8) for number, name in enumerate(NAMES)}
    first["body.0.num_batches_tracked"] = torch.zeros(())
    second = {name: tensor if name in equal else tensor + 1 for name, tensor in first.items()}
    return [first | {"steps": torch.tensor(1)}, second | {"steps": torch.tensor(2)}]


def formula(knobs: Mapping[str, str | Sequence[str]], equal: Sequence[str] = ()) -> Formula:
    return Formula.of(None, Route(["a", "b"], knobs=knobs).as_knobs, states(equal))


def test_each_parameter_has_the_share_of_its_knob():
    found = formula({"ends": ["head.*", "tail.weight"], "bias": "body.?.bias"})
    assert found.numbers == {"head.weight": 1, "head.bias": 1, "tail.weight": 1, "body.0.bias": 2}
    assert found.count == 3
    alpha = (0.2, 0.7, 0.9)
    assert found.shares(alpha, "tail.weight") == pytest.approx((0.7, 0.3))
    assert found.shares(alpha, "body.0.bias") == pytest.approx((0.9, 0.1))
    assert found.shares(alpha, "body.0.weight") == found.shares(alpha, "of an inner module") == (0.2, 0.8)


def test_tied_weights_are_of_one_knob_whichever_of_their_names_it_matches():
    tied = states()
    for state in tied:
        state["body.1.weight"] = state["body.0.weight"].clone()
    for pattern in ("body.0.weight", "body.1.weight", "body.?.weight"):
        found = Formula.of(None, Route(["a", "b"], knobs={"body": pattern}).as_knobs, tied)
        assert found.numbers == {"body.0.weight": 1, "body.1.weight": 1}
    knobs = {"one": "body.0.weight", "other": "body.1.weight"}
    with pytest.raises(EndpointError, match=r"one and --knob other are both for body\.0\.weight, body\.1\.weight;"):
        Formula.of(None, Route(["a", "b"], knobs=knobs).as_knobs, tied)


def test_names_of_the_file_count_too():
    """A network that spandrel knows by other names: Real-ESRGAN's conv_last is its model.10."""
    endpoints = states()
    endpoints[0]["head.weight"] += 0.5
    endpoints[0]["tail.weight"] += 0.25
    read = {f"old_{name.replace('.', '_')}": tensor.half() for name, tensor in endpoints[0].items()}
    found = Formula.of(None, Route(["a", "b"], knobs={"x": "old_tail*", "y": "head.weight"}).as_knobs, endpoints, read)
    assert found.numbers == {"tail.weight": 1, "head.weight": 2}
    with pytest.raises(EndpointError, match=r"--knob x and --knob y are both for tail\.weight"):
        Formula.of(None, Route(["a", "b"], knobs={"x": "old_tail*", "y": "tail*"}).as_knobs, endpoints, read)


def test_without_knobs_alpha_is_all_shares_or_a_place():
    assert Formula().shares((0.2, 0.5), "any") == pytest.approx((0.2, 0.5, 0.3))
    assert Formula(Path((0.0, 1.0, 3.0), (0, 0))).shares((2.0,), "any") == (0.0, 0.5, 0.5)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        (
            {"tail": "tial.*"},
            r"--knob tail=tial\.\*: no parameter is called so; expected a pattern for some of head\.weight, "
            r"head\.bias, body\.0\.weight, body\.0\.bias, tail\.weight",
        ),
        ({"tail": ["tail.*", "TAIL.*"]}, r"--knob tail=TAIL\.\*: no parameter is called so"),
        (
            {"body": "body.*", "bias": "*.bias"},
            r"--knob body and --knob bias are both for body\.0\.bias; expected each parameter in one of them",
        ),
        ({"counted": "*num_batches*"}, r"body\.0\.num_batches_tracked are equal in all endpoints|would change nothing"),
        ({"steps": "steps"}, "steps are equal in all endpoints, or no weights, so an alpha would change nothing"),
        ({"all": "*"}, "no parameter is left for alpha itself.*leave one of them out, say all"),
        ({"a": "[!b]*", "b": "body.*"}, "--knob a, b: no parameter is left for alpha itself"),
    ],
)
def test_what_is_wrong_with_a_pattern_is_told_with_names(knobs: dict[str, str | list[str]], message: str):
    with pytest.raises(EndpointError, match=message):
        formula(knobs)


def test_parameters_that_are_equal_in_all_endpoints_have_no_alpha():
    found = formula({"head": "head.*"}, equal=["head.bias"])
    assert found.numbers == {"head.weight": 1}
    with pytest.raises(
        EndpointError, match=r"--knob head=head\.\*: head\.weight, head\.bias are equal in all endpoints"
    ):
        formula({"head": "head.*"}, equal=["head.weight", "head.bias"])


def test_of_many_names_the_first_and_the_last_are_told():
    many = [{f"body.{n}.weight": torch.full((1,), float(k)) for n in range(40)} for k in (0, 1)]
    with pytest.raises(
        EndpointError, match=r"body\.9\.weight, \.\.\. body\.38\.weight, body\.39\.weight \(40 in all\)"
    ):
        Formula.of(None, Route(["a", "b"], knobs={"x": "y"}).as_knobs, many)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        (
            {"alpha": "x"},
            '--knob "alpha": no name for a knob; expected names of letters, digits and _ of ASCII, 64 at most, '
            'and not "alpha"',
        ),
        ({"Alpha": "x"}, '--knob "Alpha": no name for a knob'),
        ({"a b": "x"}, '--knob "a b": no name for a knob'),
        ({"": "x"}, '--knob "": no name for a knob'),
        ({"a": []}, "--knob a gives no pattern"),
        ({"late": 5}, r"knobs are \{'late': 5\}; expected a pattern, or a list of them, for each name"),
        ({"late": ["x", None]}, "knobs are .*; expected a pattern, or a list of them"),
        ({5: "x"}, "knobs are .*; expected a pattern, or a list of them"),
        (["late=x"], "knobs are .*; expected a pattern, or a list of them"),
        ({"a": ""}, "--knob a gives no pattern"),
        ({"a": ["x", ""]}, "--knob a gives no pattern"),
        ({"Tail": "x", "tail": "y"}, "--knob: Tail, tail differ in capitals alone"),
        ({f"k{n}": "x" for n in range(32)}, "32 knobs; expected 31 at most"),
        ({"many": [f"k{n}" for n in range(65)]}, "--knob many has 65 patterns; expected 64 at most"),
    ],
)
def test_names_and_patterns_are_checked_before_anything_is_read(knobs: dict[str, str | list[str]], message: str):
    with pytest.raises(EndpointError, match=message):
        Route(["a", "b"], knobs=knobs)


def test_the_shares_of_three_endpoints_leave_no_room_for_knobs():
    with pytest.raises(EndpointError, match="--knob with 3 endpoints, of which alpha is the shares"):
        Route(["a", "b", "c"], knobs={"x": "y"})
    assert Route(["a", "b", "c"], path=True, knobs={"x": "y"}).check_alpha((0.2, 0.4), (0.0, 1.0)) == (0.2, 0.4)
