"""The benchmark of films: its page is that of its numbers, and what is promised of them is looked up there."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from benchmark_scripts import BENCHMARKS, scripts

RESULTS = BENCHMARKS / "results"


@pytest.fixture(scope="module")
def films() -> Iterator[Any]:
    with scripts("films", ("names", "page", "footage")) as modules:
        yield modules


@pytest.fixture(scope="module")
def results() -> Any:
    return json.loads((RESULTS / "films.json").read_text())


def test_the_page_is_that_of_the_numbers(films: Any, results: Any):
    assert (RESULTS / "films.md").read_text() == films.page.markdown(results)


def test_what_the_page_says_of_them_is_so(results: Any):
    assert all(sampling["share"] == 0 for sampling in results["samplings"])
    assert {chart["returned"] for chart in results["charts"]} == {0}


@pytest.mark.parametrize(("network", "ffmpeg", "film", "share", "holds"), [
    (10, 1, 10.5, 0.952, True),
    (1, 10, 10.5, 0.952, True),
    (10, 1, 12.5, 0.8, False),
])  # fmt: skip
def test_a_film_is_held_to_the_slower_of_its_halves(
    films: Any, results: Any, network: float, ffmpeg: float, film: float, share: float, holds: bool
):
    names = films.names
    rounds = [{names.NETWORK: network, names.FFMPEG: ffmpeg, names.HELD: film}] * 3
    what, value, bound, found = films.page.bounds({**results, "rounds": rounds})[0]
    assert what.startswith("a film's speed")
    assert (round(value, 3), bound, found) == (share, 0.9, holds)


def test_shots_move_and_have_grain(films: Any):
    one, two, other = list(films.footage.shots((72, 128), 9))[:2] + list(films.footage.shots((72, 128), 9))[-1:]
    assert (one.shape, one.dtype) == ((72, 128, 3), np.uint8)
    # As far apart as grain of sigma 15 is from other such grain, and moved; another shot is another picture.
    assert 15 < np.abs(one.astype(float) - two).mean() < np.abs(one.astype(float) - other).mean()
