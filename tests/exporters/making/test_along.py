"""Which endpoints lie where along one alpha, and which fitted middles between them."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dni_exporters.checkpoints.middles import KEY, End, Middle
from dni_exporters.making.along import read_along
from dni_exporters.sources import Route, StateDict
from dni_runtime import EndpointError
from dni_runtime.shares import Path as AlphaPath


def checkpoint(path: Path, value: float, **said: str) -> Path:
    save_file({"w": torch.full((2, 2), value)}, path, said)
    return path


@pytest.fixture
def knots(tmp_path: Path) -> list[Path]:
    return [checkpoint(tmp_path / f"{name}.safetensors", value) for value, name in enumerate("abc")]


def end(path: Path) -> End:
    from dni_exporters.checkpoints.checkpoint import read_endpoints

    return End(path.name, read_endpoints([path])[0][0].sha256)


def middle(path: Path, first: Path, last: Path, degree: int = 2, number: int = 1) -> Path:
    said = Middle(degree, number, (end(first), end(last))).to_json({})
    return checkpoint(path, 9.0 + number, **{KEY: said})


def arranged(route: Route) -> tuple[list[str], AlphaPath | None]:
    along = read_along(route)
    return [c.name.removesuffix(".safetensors") for c in along.checkpoints], along.path


def test_without_a_path_endpoints_are_as_they_were_given(knots: list[Path]):
    assert arranged(Route(knots)) == (["a", "b", "c"], None)


def test_a_path_is_straight_where_nothing_was_fitted(knots: list[Path]):
    assert arranged(Route(knots, path=True)) == (["a", "b", "c"], AlphaPath((1.0, 0.5, 0.0), (0, 0)))
    assert arranged(Route(knots, path=True, at=[0, 0.3, 1]))[1] == AlphaPath((0.0, 0.3, 1.0), (0, 0))


def test_what_a_curve_bends_around_may_be_any_checkpoint(knots: list[Path]):
    a, b, c = knots
    assert arranged(Route([a, b], [c], curve=True)) == (["a", "c", "b"], AlphaPath((1.0, 0.0), (1,)))
    assert arranged(Route([a, b], [c, a], curve=True)) == (["a", "c", "a", "b"], AlphaPath((1.0, 0.0), (2,)))
    states: list[StateDict] = [{"w": torch.full((2, 2), float(value))} for value in range(3)]
    along = read_along(Route(states[:2], states[2:], curve=True))
    assert [c.name for c in along.checkpoints] == ["endpoint 1", "endpoint 3", "endpoint 2"]
    assert [float(c.tensors["w"][0, 0]) for c in along.checkpoints] == [0, 2, 1]


def test_fitted_middles_find_their_place_in_either_direction(tmp_path: Path, knots: list[Path]):
    a, b, c = knots
    second, first = (middle(tmp_path / f"m{n}.safetensors", a, b, 3, n) for n in (2, 1))
    other = middle(tmp_path / "n.safetensors", c, b)
    names, path = arranged(Route([a, b, c], [second, other, first], path=True))
    assert names == ["a", "m1", "m2", "b", "n", "c"]
    assert path == AlphaPath((1.0, 0.5, 0.0), (2, 1))
    names, path = arranged(Route([c, b, a], [first, other, second], path=True))
    assert names == ["c", "n", "b", "m2", "m1", "a"]
    assert arranged(Route([b, a], [first, second], curve=True))[0] == ["b", "m2", "m1", "a"]


def test_two_neighbours_with_one_middle_and_two_without(tmp_path: Path, knots: list[Path]):
    _, b, c = knots
    only = middle(tmp_path / "n.safetensors", b, c)
    assert arranged(Route(knots, [only], path=True)) == (["a", "b", "n", "c"], AlphaPath((1.0, 0.5, 0.0), (0, 1)))


def test_a_middle_of_no_neighbours_is_named_with_what_it_was_fitted_between(tmp_path: Path, knots: list[Path]):
    a, b, c = knots
    wrong = middle(tmp_path / "w.safetensors", a, c)
    with pytest.raises(
        EndpointError,
        match=r"w\.safetensors was fitted between a\.safetensors and c\.safetensors; expected middles of neighbours "
        r"among a\.safetensors, b\.safetensors, c\.safetensors, by .* Give the files .*dni fit",
    ):
        read_along(Route([a, b, c], [wrong], path=True))
    plain = checkpoint(tmp_path / "p.safetensors", 5.0)
    with pytest.raises(EndpointError, match=r"p\.safetensors does not say between which endpoints it was fitted; "):
        read_along(Route([a, b, c], [plain], path=True))


def test_a_curve_that_is_not_whole_is_refused(tmp_path: Path, knots: list[Path]):
    a, b, _ = knots
    half = middle(tmp_path / "m2.safetensors", a, b, 3, 2)
    with pytest.raises(EndpointError, match=r"m2\.safetensors between a\.safetensors and b\.safetensors: .* each once"):
        read_along(Route([a, b], [half], curve=True))
    with pytest.raises(EndpointError, match="each once"):
        read_along(Route([a, b], [half, half], curve=True))


def test_a_curve_around_what_was_fitted_for_others_is_made_and_told(tmp_path: Path, knots: list[Path]):
    a, b, c = knots
    other = middle(tmp_path / "m.safetensors", a, c)
    along = read_along(Route([a, b], [other], curve=True))
    assert [c.name for c in along.checkpoints] == ["a.safetensors", "m.safetensors", "b.safetensors"]
    assert along.notes == [
        "m.safetensors was fitted between other files (a.safetensors and c.safetensors) than a.safetensors and "
        "b.safetensors; it is taken as it was given"
    ]


@pytest.mark.parametrize(
    ("count", "keywords", "message"),
    [
        (2, {"curve": True, "path": True}, "--curve is for two endpoints and --path for several"),
        (2, {"through": ["c"]}, r"--through gives what a curve bends around; say so with --curve"),
        (2, {"at": [1, 0]}, "--at says where the endpoints of --path or --curve lie"),
        (2, {"curve": True}, "--curve with 2 endpoints and 0 middles; expected two endpoints, and one middle or 2"),
        (3, {"curve": True, "through": ["c"]}, "--curve with 3 endpoints and 1 middles"),
        (2, {"curve": True, "through": ["c"] * 3}, "--curve with 2 endpoints and 3 middles"),
        (3, {"path": True, "through": ["c"] * 5}, "5 middles by --through for a path of 3 endpoints"),
        (1, {"path": True}, "1 endpoint given"),
        (2, {"path": True, "at": "01"}, "--at is '01'; expected a number for each endpoint"),
        (2, {"path": True, "at": [0, "1"]}, r"--at is \[0, '1'\]; expected a number for each endpoint"),
        (3, {"path": True, "at": [0, 1]}, "--at gives 2 places; expected 3, one for each endpoint"),
        (
            3,
            {"path": True, "at": [0, 1, 1]},
            r"--at makes knots at \[0.0, 1.0, 1.0\]; expected numbers that rise",
        ),
        (2, {"path": True, "at": [0, float("nan")]}, r"--at makes knots at \[0.0, NaN\]; expected numbers within"),
    ],
)
def test_what_makes_no_course(count, keywords, message):
    with pytest.raises(EndpointError, match=message):
        Route(["a"] * count, **keywords)


def test_alpha_ends_where_the_path_does():
    route = Route(["a", "b"], path=True, at=[4, 0])
    assert route.alpha_range((0.0, 1.0)) == (0.0, 4.0)
    assert route.check_alpha(2.5, (0.0, 1.0)) == (2.5,)
    with pytest.raises(EndpointError, match="--alpha-range does not go with --curve and --path"):
        route.alpha_range((-1.0, 2.0))
