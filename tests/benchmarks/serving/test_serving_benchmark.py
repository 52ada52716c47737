"""The benchmark of serving: it measures real servers, sees wrong answers, and says first what does not hold."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import conv_stack, save

from dni_deploy.bench.measuring.hardware import hardware
from dni_deploy.bench.measuring.spread import Spread


def silent(step: str) -> None:
    pass


def test_a_wrong_answer_is_seen(serving: Any, stack: Path, tmp_path: Path):
    other = save(conv_stack(seed=3), tmp_path / "other.onnx")
    with serving.server.serving(stack) as server:
        serving.batching.assert_right([server], stack, 16)
        with pytest.raises(AssertionError, match="a wrong answer"):
            serving.batching.assert_right([server], other, 16)


def test_a_soak(serving: Any, stack: Path):
    result = serving.soak.soak(stack, 0.065, silent)  # four seconds, a sample in each
    assert result.answers > 20 and result.wrong == 0
    assert result.checked > 0
    assert len(result.samples) >= 4 and min(mb for _, mb in result.samples) > 50


def test_the_slope_and_its_uncertainty(serving: Any):
    rng = np.random.default_rng(0)
    minutes = np.arange(0, 10, 1 / 60)
    wander = np.convolve(rng.normal(0, 1, len(minutes) + 29), np.ones(30) / 30, "valid")  # neighbours are alike
    inside = 0
    for seed in range(200):
        noise = np.random.default_rng(seed).normal(0, 1, len(minutes))
        slope, uncertainty = serving.soak.fit_slope(list(zip(minutes, 500 + minutes * 2 + noise, strict=True)))
        inside += abs(slope - 120) <= uncertainty
    assert 0.85 <= inside / 200 <= 1
    plain = serving.soak.fit_slope(list(zip(minutes, rng.normal(0, wander.std(), len(minutes)), strict=True)))
    alike = serving.soak.fit_slope(list(zip(minutes, wander, strict=True)))
    assert alike[1] > 2 * plain[1]
    assert serving.soak.fit_slope([(0.0, 1.0)] * 15) == (0.0, float("inf"))


def batching(serving: Any, alphas: str, ratio: float, clients: int = 8) -> Any:
    spread = Spread(ratio, ratio, ratio, ratio, 3)
    return serving.batching.Batching("Net", 32, clients, alphas, 100 * ratio, 100.0, spread, 4.0, 0.5)


def soaked(serving: Any, slope: float, wrong: int = 0) -> Any:
    samples = tuple((minute / 10, 500.0) for minute in range(100))
    return serving.soak.Soak(4, 1000, 50, wrong, samples, 3.0, slope, 5.0)


def test_what_is_promised_is_checked(serving: Any):
    def failed(equal: float, different: float, slope: float = 4.0, wrong: int = 0) -> list[str]:
        rows = [batching(serving, "equal", equal), batching(serving, "equal", 0.5, 1)]
        rows += [batching(serving, "all different", different), batching(serving, "all different", 1.1, 1)]
        bounds = serving.bounds.check_bounds(rows, soaked(serving, slope, wrong))
        return [bound.what for bound in bounds if not bound.holds]

    assert failed(1.2, 0.95) == []
    assert failed(0.9, 0.89) == [
        "all alphas different: batching / none, at worst",
        "all alphas equal: batching / none, at best",
    ]
    assert failed(1.2, 0.95, slope=6.0) == ["growth of memory that is certain"]
    assert failed(1.2, 0.95, wrong=1) == ["wrong answers"]


def test_the_page_and_the_picture(serving: Any, tmp_path: Path):
    rows = [batching(serving, "equal", 1.2), batching(serving, "all different", 0.8)]
    ways = [
        serving.overhead.Overhead("Net", size, way, 1.0, 2.0, 3.0, 1.0, 2.0, 10)
        for size in (32, 64)
        for way in serving.overhead.WAYS
    ]
    bounds = serving.bounds.check_bounds(rows, soaked(serving, 1.0))
    page = serving.page.page(hardware(), "2.51.0", bounds, rows, ways, soaked(serving, 1.0))
    verdicts = [line for line in page.splitlines() if line.endswith(("hold** |", "| holds |"))]
    assert verdicts[0].endswith("| 0.8 x | at least 0.9 x | **does not hold** |")
    assert len(verdicts) == len(bounds) == 4
    assert "+1.0 MB an hour" in page and "2.51.0" in page
    serving.plots.plot(rows, ways, soaked(serving, 1.0), tmp_path / "serving.png")
    assert (tmp_path / "serving.png").read_bytes().startswith(b"\x89PNG")
    serving.plots.plot(rows, ways, None, tmp_path / "without.png")
