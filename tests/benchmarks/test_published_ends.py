"""The benchmark of published pairs' ends: what surrounds an ncnn file is right, and the page is of the figures."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from benchmark_scripts import BENCHMARKS, scripts

RESULTS = BENCHMARKS / "results"


@pytest.fixture(scope="module")
def benchmark() -> Iterator[Any]:
    with scripts("published_ends", ("families", "page", "cunet_1x")) as modules:
        yield modules


@pytest.fixture(scope="module")
def rows() -> Any:
    return [json.loads(line) for line in (RESULTS / "published_ends.jsonl").read_text().splitlines()]


def test_every_pair_that_shares_an_architecture_was_judged(benchmark: Any, rows: Any):
    names = [pair.name for family in benchmark.families.ALL for pair in benchmark.families.pairs(family)]
    assert len(names) == 58
    assert sorted(names) == sorted(row["pair"] for row in rows)
    assert all(set(row["sizes"]) == {"96x96", "64x40", "53x71"} for row in rows)
    assert all(row["largest_difference"] <= 1e-4 < 0.05 < row["ends_apart"] for row in rows)


def test_the_page_is_of_the_committed_figures(benchmark: Any, rows: Any):
    assert benchmark.page.page(rows, 1e-4) == (RESULTS / "published_ends.md").read_text()
    wrong = [rows[0] | {"largest_difference": 2e-4}, *rows[1:]]
    assert "**1 of 58 pairs differ from ncnn**" in benchmark.page.page(wrong, 1e-4)


def test_what_surrounds_an_ncnn_file_is_known_of_all_of_them(benchmark: Any):
    assert benchmark.families.AROUND.keys() == {family.name for family in benchmark.families.ALL}


def test_the_image_is_enlarged_as_pytorch_does_where_it_is_added(benchmark: Any, monkeypatch: pytest.MonkeyPatch):
    family = next(family for family in benchmark.families.OTHERS if benchmark.families.AROUND[family.name].adds)
    image = np.random.default_rng(0).random((3, 5, 6), np.float32)
    monkeypatch.setattr(benchmark.families, "ncnn_output", lambda *_, **__: np.zeros((3, 24, 24), np.float32))
    made = benchmark.families.judged_by_ncnn(family, "", b"", image, (3, 20, 24))
    wanted = torch.nn.functional.interpolate(torch.from_numpy(image)[None], scale_factor=4)[0].numpy()
    assert np.array_equal(made, wanted)


def test_the_network_without_enlargement_gives_an_image_of_any_size_back(benchmark: Any):
    network = benchmark.cunet_1x.Cunet1x().eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 32, 37)).shape == (1, 3, 32, 37)
