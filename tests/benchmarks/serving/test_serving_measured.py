"""What the benchmark of serving measures of real servers."""

from pathlib import Path
from typing import Any

import pytest

from dni_deploy.bench.measuring.race import Effort

pytestmark = pytest.mark.alone


def silent(step: str) -> None:
    pass


def test_batching_is_measured(serving: Any, stack: Path):
    effort = serving.batching.Effort(sizes=(16,), clients=(8,), seconds=0.4, rounds=1)
    equal, different = serving.batching.measure_batching("stack", stack, effort, silent)
    assert (equal.alphas, different.alphas) == ("equal", "all different")
    for row in (equal, different):
        assert row.ratio.median == pytest.approx(row.batched_per_s / row.single_per_s)
        assert row.batched_per_s > 10 and row.client_cpu_ms > 0
        assert 1 < row.batch <= 8


def test_the_way_through_is_measured(serving: Any, stack: Path):
    rows = serving.overhead.measure_overhead("stack", stack, {16: Effort(1.0, 3), 32: Effort(1.0, 3)}, silent)
    assert [(row.size, row.way) for row in rows] == [(size, way) for size in (16, 32) for way in serving.overhead.WAYS]
    for row in rows:
        assert row.count == 3
        assert 0 < row.bare_p50_ms < row.p50_ms <= row.p99_ms
        assert row.more_p50_ms > 0
