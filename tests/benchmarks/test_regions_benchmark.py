"""The benchmark of a strength for each region: its page is that of its numbers, its maps are what they are called."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from benchmark_scripts import BENCHMARKS, scripts

RESULTS = BENCHMARKS / "results"


@pytest.fixture(scope="module")
def regions() -> Iterator[Any]:
    with scripts("regions", ("maps", "page")) as modules:
        yield modules


@pytest.fixture(scope="module")
def results() -> Any:
    return json.loads((RESULTS / "regions.json").read_text())


def test_the_page_is_that_of_the_numbers(regions: Any, results: Any):
    assert (RESULTS / "regions.md").read_text() == regions.page.markdown(results)


def test_what_the_page_says_of_them_is_so(results: Any):
    by_map: dict[str, list[Any]] = {}
    for row in results["rows"]:
        by_map.setdefault(row["map"], []).append(row)
    assert [row["levels"] for row in by_map["a subject, hard border"]] == [[2]] * 4
    gradient = {row["most"]: row["mean"] for row in by_map["a gradient over all of it"]}
    assert gradient[2] / gradient[3] == pytest.approx(4, rel=0.3)
    assert gradient[3] / gradient[5] == pytest.approx(4, rel=0.3)
    for rows in by_map.values():
        for row in rows:
            assert 1 <= row["tiles"] <= row["most"]
        assert rows[0]["mean"] >= rows[-1]["mean"]


def test_maps_are_alphas_of_the_size_that_is_asked_for(regions: Any):
    for draw in regions.maps.KINDS.values():
        strengths = draw(60, 80)
        assert (strengths.shape, strengths.dtype) == ((60, 80), np.float32)
        assert (strengths.min(), strengths.max()) == (0, 1)
    assert len(np.unique(regions.maps.subject(60, 80))) == 2
    parts = np.unique((regions.maps.painted() * 100).round())
    assert {0, 40, 90} <= set(parts.tolist())
