"""The benchmark of a new alpha with every architecture: what it measures is equal, and a miss is told."""

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx_models import conv_stack, save

from tests.support.suite.benchmark_scripts import scripts

MODULES = ("files", "measuring", "page", "run")


def line(row: str, moving: float, baked: float, **more: Any) -> dict[str, Any]:
    ratio = {"median": moving, "low": moving, "high": moving, "p95": moving, "count": 5}
    return {
        "row": row, "shape": [1, 3, 32, 48], "threads": 1, "clock": "cpu", "apart": 0.0, "laid_out": True,
        "note": "blended", "weights": 2_000_000, "baked": baked, "blend": 0.5, "least": 0.25, "moving": ratio,
        "held": ratio, "again": ratio, "revision": "abc", **more,
    }  # fmt: skip


def test_a_network_is_measured_on_an_image_that_takes_long_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = save(conv_stack(), tmp_path / "stack.onnx")
    with scripts("every_alpha", MODULES) as benchmark:
        monkeypatch.setattr(benchmark.measuring, "SHORT_S", 0.0)
        monkeypatch.setattr(benchmark.measuring, "ROUNDS", 5)
        shape = benchmark.measuring.shape_of(file, 1)
        assert shape == (1, 3, 32, 32)
        with benchmark.measuring.opened(file, 1) as ways:
            found = benchmark.measuring.measure(ways, shape, 1)
    assert found["laid_out"] and found["apart"] < 1e-5 and found["blend"] > 0 and found["moving"]["count"] == 5
    assert found["weights"] > 0 and found["least"] > 0


def test_results_that_differ_are_not_timed(tmp_path: Path):
    file = save(conv_stack(), tmp_path / "stack.onnx")
    with scripts("every_alpha", MODULES) as benchmark:
        other = benchmark.files.baked_beside(file)
        model = onnx.load(other)
        kernel = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
        values = onnx.numpy_helper.to_array(kernel)
        kernel.CopyFrom(onnx.numpy_helper.from_array(values * 1.01, kernel.name))
        onnx.save(model, other)
        with benchmark.measuring.opened(file, 1) as ways, pytest.raises(AssertionError, match="results are apart"):
            benchmark.measuring.measure(ways, (1, 3, 16, 16), 1)


def test_a_miss_is_told_and_a_short_call_is_none(tmp_path: Path):
    lines = [line("Slow", 1.2, 20.0), line("Quick", 1.04, 20.0), line("Short", 1.5, 9.0)]
    with scripts("every_alpha", MODULES) as benchmark:
        assert [each["row"] for each in benchmark.page.missed(lines)] == ["Slow"]
        results = benchmark.run.Results(tmp_path / "every_alpha.jsonl")
        results.add(lines)
        again = benchmark.run.Results(tmp_path / "every_alpha.jsonl")
        text = benchmark.page.page(again.lines, {"Broken": "no"}, again.machine, again.revisions)
        assert again.has("Quick", 1) and not again.has("Quick", 2)
        again.forget(("Qui",), (1,))
        assert not again.has("Quick", 1) and again.has("Slow", 1)
    assert "- Slow, 2.0 million weights, 32 x 48, threads: 1: 1.20 of 20.0 ms" in text
    assert "- Broken has no file: no" in text and "- Quick" not in text and "| Quick |" in text


def test_the_page_says_what_was_measured():
    results = Path(__file__).parents[2] / "benchmarks" / "results"
    first, *lines = [json.loads(text) for text in (results / "every_alpha.jsonl").read_text().splitlines()]
    page = (results / "every_alpha.md").read_text()
    with scripts("every_alpha", MODULES) as benchmark:
        kept = benchmark.run.Results(results / "every_alpha.jsonl")
        assert benchmark.page.page(lines, first["failed"], kept.machine, kept.revisions) == page
