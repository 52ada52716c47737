"""The benchmark of VapourSynth: it runs there, its page is that of its numbers, and a broken promise is seen."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmark_scripts import BENCHMARKS, scripts
from in_vapoursynth import need_vapoursynth
from left_out import ROOTS

from dni_deploy.bench.approaches.baked import write_baked
from dni_deploy.demo import EXPORTED

RESULTS = BENCHMARKS / "results"


@pytest.fixture(scope="module")
def benchmark() -> Iterator[Any]:
    with scripts("vapoursynth", ("names", "bounds", "page", "plots", "run")) as modules:
        yield modules


@pytest.fixture(scope="module")
def results() -> Any:
    return json.loads((RESULTS / "vapoursynth.json").read_text())


def test_the_page_is_that_of_the_numbers(benchmark: Any, results: Any):
    bounds = benchmark.bounds.check_bounds(results)
    assert len(bounds) == 2 * 4 + 4 * 2  # of each network, and of two with streams
    assert (RESULTS / "vapoursynth.md").read_text() == benchmark.page.page(results, bounds)


def test_vs_mlrt_takes_our_files(results: Any):
    (job,) = (job for job in results.values() if "refusal" in job)
    assert {each["file"] for each in job["files"]} == {"plane", "small", "baked"}
    assert max(each["apart"] for each in job["files"]) < 1e-5
    assert "single input" in job["refusal"]


def test_everyone_is_run_in_vapoursynth(benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    need_vapoursynth()
    names, run = benchmark.names, benchmark.run
    kinds = [kind for kind in names.FEW if kind[0] != names.PLANE] + [(names.OURS, names.MOVING, 2, 8)]
    monkeypatch.setitem(run.JOBS, "tiny", ("bundled pair", kinds, 2))
    monkeypatch.setattr(run, "SIZE", (24, 32))
    monkeypatch.setenv("PYTHONPATH", ":".join(map(str, ROOTS)))
    files = {"model": EXPORTED, "baked": write_baked(EXPORTED, (names.ALPHA,), tmp_path / "baked.onnx")}
    job = run.measured("tiny", files, rounds=2, seconds=60, disturbed=9.0)
    # Others may have been busy all the time; who was timed at all has made the pictures that enhance makes.
    assert job["apart"].pop(names.OURS) == 0
    assert job["apart"].pop(names.BAKED) < 1e-4 and not job["apart"]
    assert len(job["rounds"]) == 2
    assert {key for taken in job["rounds"] for key in taken} == {names.named(*kind) for kind in kinds}
    found = {"tiny": job}
    assert "| bundled pair |" in benchmark.page.page(found, benchmark.bounds.check_bounds(found))
    benchmark.plots.plot(found, tmp_path / "found.png")
    assert (tmp_path / "found.png").read_bytes().startswith(b"\x89PNG")


def test_a_broken_promise_comes_first(benchmark: Any):
    names = benchmark.names
    held, moving = (names.named(names.OURS, alpha) for alpha in (names.HELD, names.MOVING))
    kinds = [[names.OURS, names.HELD, 1, 1], [names.OURS, names.MOVING, 1, 1]]
    # A time that was disturbed is not in its round.
    rounds = {
        "slow": [{held: 1.0, moving: 1.06}, {held: 1.0, moving: 1.07}, {moving: 9.0}],
        "good": [{held: 2.0, moving: 2.1}],
    }
    found = {name: {"network": name, "kinds": kinds, "rounds": each} for name, each in rounds.items()}
    bounds = benchmark.bounds.check_bounds(found)
    assert [(bound.network, bound.holds) for bound in bounds] == [("slow", False), ("good", True)]
    assert bounds[0].ratio.median == pytest.approx(1.065)
    lines = benchmark.page.bounds_table(bounds[::-1]).splitlines()
    assert lines[2] == "| slow | 1 | 1 | 1.065 | 1.062 to 1.068 | 1.05 | **does not hold** |"
    assert lines[3].endswith("| holds |")
