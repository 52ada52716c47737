"""What the benchmark of serving measures of real servers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmark_scripts import scripts
from onnx_models import conv_stack, save
from triton_server import need_server

from dni_deploy.bench.measuring.race import Effort

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def benchmark() -> Iterator[Any]:
    with scripts("serving", ("server", "load", "batching", "overhead")) as modules:
        yield modules


@pytest.fixture
def model(tmp_path: Path) -> Path:
    need_server()
    return save(conv_stack(), tmp_path / "stack.onnx")


def silent(step: str) -> None:
    pass


def test_batching_is_measured(benchmark: Any, model: Path):
    effort = benchmark.batching.Effort(sizes=(16,), clients=(8,), seconds=0.4, rounds=1)
    equal, different = benchmark.batching.measure_batching("stack", model, effort, silent)
    assert (equal.alphas, different.alphas) == ("equal", "all different")
    for row in (equal, different):
        assert row.ratio.median == pytest.approx(row.batched_per_s / row.single_per_s)
        assert row.batched_per_s > 10 and row.client_cpu_ms > 0
        assert 1 < row.batch <= 8


def test_the_way_through_is_measured(benchmark: Any, model: Path):
    rows = benchmark.overhead.measure_overhead("stack", model, {16: Effort(1.0, 3), 32: Effort(1.0, 3)}, silent)
    assert [(row.size, row.way) for row in rows] == [
        (size, way) for size in (16, 32) for way in benchmark.overhead.WAYS
    ]
    for row in rows:
        assert row.count == 3
        assert 0 < row.bare_p50_ms < row.p50_ms <= row.p99_ms
        assert row.more_p50_ms > 0
