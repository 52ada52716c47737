"""The project's own benchmark: PyTorch computes what the file computes, and a broken promise is seen and said."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmark_scripts import scripts

from dni_deploy.bench import Case, Report, line_up, plan, run_case
from dni_deploy.bench.approaches.lineup import BAKED, NAIVE, OURS
from dni_deploy.bench.measuring.footprint import Footprint
from dni_deploy.bench.measuring.hardware import hardware
from dni_deploy.bench.measuring.spread import spread
from dni_deploy.bench.report import ModelFacts, Rounds, make_row

MODULES = ("bounds", "four_networks", "page", "plots", "pytorch")


@pytest.fixture(scope="module")
def benchmark() -> Iterator[Any]:
    with scripts("alpha_is_free", MODULES) as modules:
        yield modules


def test_pytorch_blends_as_the_file_does(benchmark: Any, tmp_path: Path):
    files = benchmark.four_networks.write_files(benchmark.four_networks.NETWORKS["DnCNN"].build, tmp_path / "dncnn")
    lineup = line_up(files.model, tmp_path, None, "cpu")
    checkpoints = {"files": (files.a, files.b), "build": benchmark.four_networks.NETWORKS["DnCNN"].build}
    in_pytorch = [
        benchmark.pytorch.PyTorch(name="blended", **checkpoints),
        benchmark.pytorch.PyTorch(name="reloaded", reload=True, **checkpoints),
    ]
    approaches = [lineup.approach(BAKED), lineup.approach(NAIVE), *in_pytorch]
    case = run_case("DnCNN", lineup, approaches, (1, 3, 16, 16), 1, "cpu", plan(0.2, 1), lambda step: None, (BAKED,))
    rows = {row.approach: row for row in case.rows}
    for name in ("blended", "reloaded"):
        assert 0 < rows[name].difference <= 1e-5  # another order of sums: equal to the last bit would be suspicious
        assert rows[name].first_ms is not None and rows[name].moving_ms is not None


def case(ours: float, eager: float = 1.5, threads: int = 2) -> Case:
    """Each phase with our runtime `ours` times, and PyTorch `eager` times as slow as the baked file."""
    rounds = [{BAKED: 0.01, OURS: 0.01 * ours, "PyTorch eager": 0.01 * eager}] * 3
    phases = Rounds(rounds, rounds, rounds, rounds)
    rows = tuple(
        make_row(name, exact=True, difference=0.0, rounds=phases, full_speed_s=[0.01], reference=BAKED,
                 changes=name != BAKED, note="")
        for name in rounds[0]
    )  # fmt: skip
    rate = {name: {1: 20.0, 100: 10.0} for name in rounds[0]}
    return Case("Net", 64, 64, threads, "cpu", "float32", (0.3,), 1e-5, rows, phases, rate)


def facts(ours_bytes: int) -> ModelFacts:
    """Two endpoints of 10 MB; a baked session that takes 30 MB has 20 MB of activations."""
    footprints = [Footprint(name, 1, 1, 1, peak, peak, 10_000_000, 0) for name, peak in
                  ((BAKED, 30_000_000), (OURS, ours_bytes), ("PyTorch eager", 50_000_000))]  # fmt: skip
    return ModelFacts("Net", 20_000_000, 10_000_000, (64, 64), tuple(footprints))


def failed(benchmark: Any, case: Case, facts: ModelFacts, overhead_ms: float = 0.1) -> list[str]:
    bounds = benchmark.bounds.check_bounds([case], [facts], spread([overhead_ms]))
    return [bound.what for bound in bounds if not bound.holds]


def test_what_is_promised_is_checked(benchmark: Any):
    assert failed(benchmark, case(1.01), facts(54_000_000)) == []
    assert failed(benchmark, case(1.03), facts(0)) == ["alpha held / baked"]
    assert failed(benchmark, case(1.06), facts(0)) == ["alpha held / baked", "new alpha every call / baked"]
    assert "first call after a change / baked" in failed(benchmark, case(1.7), facts(0))
    assert failed(benchmark, case(1.01, eager=0.9), facts(0)) == ["alpha held / PyTorch eager"]
    assert failed(benchmark, case(1.01), facts(56_000_000)) == ["peak memory, settled"]  # 1.1 x (20 + 10 + 20) MB
    assert failed(benchmark, case(1.01), facts(0), overhead_ms=0.2) == ["a call beside a bare session's"]
    assert failed(benchmark, case(9.0, threads=1), facts(0)) == []  # promised for two threads


def test_two_sessions_of_one_file_tell_what_is_noise(benchmark: Any):
    control = benchmark.bounds.CONTROL
    rounds = [{BAKED: 1.0, control: ratio, OURS: 1.0, "PyTorch eager": 2.0} for ratio in (1.03, 1.0, 1.02, 1.01, 1.04)]
    noisy = replace(case(1.0), rounds=Rounds(held=rounds))
    bounds = benchmark.bounds.check_bounds([noisy], [], spread([0.1]))
    held, eager = bounds[:2]
    assert (held.what, held.control.median, eager.control) == ("alpha held / baked", pytest.approx(1.02), None)
    assert "| holds | 1.020 (1.01..1.03) |" in benchmark.page.bounds_table(bounds)


def test_the_page_says_what_does_not_hold_first(benchmark: Any):
    cases, models, overhead_ms = (case(1.03),), (facts(0),), spread([0.1])
    bounds = benchmark.bounds.check_bounds(cases, models, overhead_ms)
    page = benchmark.page.page(Report(hardware(), cases, models, ("a note",)), bounds, overhead_ms)
    rows = [line for line in page.splitlines() if "hold** |" in line or "| holds |" in line]
    assert rows[0] == "| alpha held / baked | Net 64 x 64, float32 | 1.030 x | 1.02 x | **does not hold** |  |"
    assert len(rows) == len(bounds) and rows[1].endswith("| holds |  |")
    assert hardware().processor in page and "- a note" in page


def test_the_pictures_are_drawn(benchmark: Any, tmp_path: Path):
    benchmark.plots.plot_change_rate(case(1.0), tmp_path / "rate.png")
    benchmark.plots.plot_disk([facts(1)], tmp_path / "disk.png")
    benchmark.plots.plot_side_by_side([case(1.0), case(2.0)], tmp_path / "sides.png")
    for file in tmp_path.iterdir():
        assert file.read_bytes().startswith(b"\x89PNG") and file.stat().st_size > 5000


def test_what_a_curve_costs_is_told_beside_two_endpoints(tmp_path: Path):
    with scripts("alpha_is_free", ("curves",)) as modules:
        models = modules.curves.export_all("U-Net", tmp_path / "net")
        costs = modules.curves.measure("U-Net", models, 8, 2)
        assert [cost.kind for cost in costs] == list(models)
        assert all(cost.held.count == cost.new.count == 2 and cost.blend_ms > 0 for cost in costs)
        text = modules.curves.page([replace(cost, new=replace(cost.new, median=1.5)) for cost in costs[2:]])
    assert "- U-Net 8 x 8, quadratic curve: held " in text
    assert ", new 1.500" in text
