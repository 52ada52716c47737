"""The benchmark of CUDA: weights come back the same everywhere, promises are checked, and what does not fit is left."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from benchmark_scripts import scripts

MODULES = ("names", "endpoints", "export", "files", "jobs", "reading", "bounds", "tables", "plots", "page", "run")


@pytest.fixture(scope="module")
def benchmark() -> Iterator[Any]:
    with scripts("cuda", MODULES) as modules:
        yield modules


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float16", 2e-2)])
def test_weights_made_again_are_those_of_pytorch(benchmark: Any, tmp_path: Path, dtype: str, tolerance: float):
    carried = benchmark.export.export("DnCNN", dtype, tmp_path, tiny=True)
    assert not list(tmp_path.glob("*.data"))
    network = benchmark.endpoints.build("DnCNN", tiny=True)
    a, b = benchmark.endpoints.make_endpoints(network)
    (tmp_path / "written").mkdir()
    files = benchmark.files.write_files(tmp_path, tmp_path / "written", "DnCNN", dtype, a, b)
    assert files.note == "folded by the exporter"
    assert carried.stat().st_size < files.model.stat().st_size

    x = np.random.default_rng(0).random((1, 3, 16, 16), np.float32)
    for alpha, file in ((0.8, files.model), (0.3, files.model), (0.3, files.baked)):
        network.load_state_dict(benchmark.endpoints.blend(a, b, alpha))
        expected = network(torch.from_numpy(x)).numpy()
        given = {"input": x} | ({"alpha": np.array([alpha], np.float32)} if file == files.model else {})
        (y,) = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, given)
        assert np.abs(y - expected).max() <= tolerance * max(1, np.abs(expected).max())
    network.load_state_dict(a)
    at_a = network(torch.from_numpy(x)).numpy()
    assert np.abs(at_a - expected).max() > 1e-2  # the endpoints differ enough for that to mean something


def test_weights_that_the_network_has_not_are_refused(benchmark: Any):
    a, b = benchmark.endpoints.make_endpoints(benchmark.endpoints.build("DnCNN", tiny=True))
    graph = onnx.ModelProto()
    tensor = graph.graph.initializer.add(name="body.0.weight@A", dims=[1, 3, 3, 3], data_type=onnx.TensorProto.FLOAT)
    with pytest.raises(ValueError, match=r"body.0.weight@A is \(16, 3, 3, 3\) here and \(1, 3, 3, 3\) in the file"):
        benchmark.endpoints.fill(graph, a, b)
    tensor.name = "head.weight@A"
    tensor.external_data.add(key="location", value="model.onnx.data")
    with pytest.raises(ValueError, match=r"head.weight@A is not in the network; export again"):
        benchmark.endpoints.fill(graph, a, b)


def _raw(names: Any, held: float, *, agrees: bool = True) -> list[dict[str, Any]]:
    """One case in which ours takes `held` ms, a new alpha 0.3 ms more, and the best baked file 10 ms."""
    where = {"network": "RRDBNet-23", "dtype": "float32", "size": 256}
    taken = {names.BAKED: 12.0, names.BAKED_NHWC: 10.0, names.OURS: held, names.OURS_NEW: held + 0.3, names.EAGER: 20.0}
    return [
        {"kind": "machine", "gpu": "a card", "driver": "1", "sizes": [64, 256, 512]},
        {"kind": "agreement", **where, "approach": names.OURS, "alpha": 0.3, "error": 1e-6, "agrees": agrees},
        {"kind": "beside_cpu", **where, "approach": names.OURS, "error": 2e-5, "agrees": False},
        {"kind": "copy", **where, "moved_bytes": 200_000_000, "ms": 0.1},
        {"kind": "rounds", **where, "rounds": [taken] * 3},
        {"kind": "photo", **where, "width": 9, "height": 9, "tiles": 2, "rounds": [{"enhance": 24.0, "tile": 10.0}]},
        {"kind": "skipped", "what": "case U-Net", "reason": "1 s were left"},
    ]


def _write(records: list[dict[str, Any]], path: Path) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_bounds_that_hold_and_that_are_missed(benchmark: Any, tmp_path: Path):
    results = benchmark.reading.read(_write(_raw(benchmark.names, 10.1), tmp_path / "raw.jsonl"))
    bounds = {bound.what: bound for bound in benchmark.bounds.check_bounds(results)}
    assert {what: (pytest.approx(bound.value), bound.holds) for what, bound in bounds.items()} == {
        "alpha held / best baked file": (1.01, True),
        "new alpha every call / best baked file": (1.04, True),
        "change of alpha / copying as many bytes": (3.0, False),
        "alpha held / PyTorch (PyTorch eager)": (0.505, True),
        "difference from PyTorch on the CPU": (2e-5, False),
        "enhance / the network's own time": (1.2, True),
    }
    assert benchmark.bounds.unmeasured(list(bounds.values())) == ["float16 / float32"]
    missed = [bound.holds for bound in benchmark.bounds.check_bounds(results)]
    assert missed == sorted(missed)


def test_wrong_results_hold_no_bound(benchmark: Any, tmp_path: Path):
    results = benchmark.reading.read(_write(_raw(benchmark.names, 10.1, agrees=False), tmp_path / "raw.jsonl"))
    about_time = [bound for bound in benchmark.bounds.check_bounds(results) if "held /" in bound.what]
    assert about_time and not any(bound.holds for bound in about_time)
    assert "**wrong results**" in benchmark.tables.case_table(results.cases[0])


def test_what_failed_holds_no_bound(benchmark: Any, tmp_path: Path):
    records = _raw(benchmark.names, 10.1)
    for taken in next(record for record in records if record["kind"] == "rounds")["rounds"]:
        taken.pop(benchmark.names.OURS, None)
    results = benchmark.reading.read(_write(records, tmp_path / "raw.jsonl"))
    bounds = [bound for bound in benchmark.bounds.check_bounds(results) if bound.what.startswith("alpha held")]
    assert [bound.holds for bound in bounds] == [False, False]


def test_the_page_says_what_was_missed_and_what_was_skipped(benchmark: Any, tmp_path: Path):
    raw = _write(_raw(benchmark.names, 11.0), tmp_path / "raw.jsonl")
    benchmark.page.main([str(raw), "-o", str(tmp_path)], standalone_mode=False)
    text = (tmp_path / "cuda.md").read_text()
    row = (
        "| alpha held / best baked file | RRDBNet-23, 256 x 256, float32 | 1.1 | 1.100..1.100 | <= 1.02 | **missed** |"
    )
    assert row in text
    assert "- skipped: case U-Net (1 s were left)" in text
    assert "a card, driver 1" in text
    assert (tmp_path / "cuda.png").exists() == ("cuda.png" in text)


def test_the_most_important_cases_come_first(benchmark: Any):
    plan = benchmark.jobs.plan(["RRDBNet-23", "Compact", "RRDBNet-6", "DnCNN", "U-Net"], [512, 64, 256])
    assert [str(job) for job in plan[:3]] == [
        "case RRDBNet-23, float16, 256 x 256",
        "case Compact, float16, 256 x 256",
        "case RRDBNet-23, float32, 256 x 256",
    ]
    assert len([job for job in plan if job.kind == "case"]) == len(set(plan)) - 3 == 30


def test_what_does_not_fit_is_skipped_and_said(benchmark: Any, tmp_path: Path):
    large, small = (benchmark.jobs.Job("case", name, "float16", 256) for name in ("RRDBNet-23", "U-Net"))
    assert benchmark.jobs.fits(small, 10) and not benchmark.jobs.fits(large, 10)
    assert benchmark.jobs.fits(large, 10, frozenset({("RRDBNet-23", "float16")}))

    run = benchmark.run.Run(None, tmp_path, until=0.0, quick=False)
    run._workers["U-Net"] = SimpleNamespace(alive=True)
    run.do(small)
    (record,) = map(json.loads, (tmp_path / "cuda.jsonl").read_text().splitlines())
    assert (record["kind"], record["what"]) == ("skipped", "case U-Net, float16, 256 x 256")
