"""The race: every way computes what the file computes, a broken promise is seen, and the page says it first."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from benchmark_scripts import scripts
from onnx_models import conv_stack, save

from dni_deploy.bench.approaches.lineup import BAKED, FASTEST, NAIVE, OURS
from dni_deploy.bench.measuring.hardware import hardware
from dni_deploy.bench.table import machine

MODULES = ("bounds", "callers", "contestants", "engines", "memory", "page", "plots", "run", "ways")


@pytest.fixture(scope="module")
def race() -> Iterator[Any]:
    with scripts("race", MODULES) as modules:
        yield modules


def silent(step: str) -> None:
    pass


@pytest.fixture(scope="module")
def raced(race: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A real race of a network with BatchNorm on tiny images."""
    folder = tmp_path_factory.mktemp("race")
    files = race.contestants.prepare("DnCNN", folder, folder)
    (folder / "baked").mkdir()
    how = {"compiled": False, "quick": True, "say": silent}
    case = race.engines.measure("DnCNN", files, folder / "baked", 16, 1, **how)
    return SimpleNamespace(folder=folder, files=files, case=case)


def test_everyone_gave_the_same_results(race: Any, raced: Any):
    rows = {row["approach"]: row for row in raced.case["rows"]}
    assert {BAKED, OURS, NAIVE, race.ways.EAGER} <= rows.keys()
    assert rows.keys() | raced.case["left_out"].keys() >= {FASTEST, race.ways.OURS_OPENVINO, race.ways.BAKED_OPENVINO}
    assert all(row["difference"] <= 1e-5 for row in rows.values())
    assert all(row["held_ms"]["median"] > 0 for row in rows.values())
    assert rows[BAKED]["moving_ms"] is None and rows[OURS]["moving_ms"]["median"] > 0
    assert not rows[OURS]["first_ms"]


def test_a_network_that_is_there_is_not_exported_again(race: Any, raced: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(race.contestants.dni_deploy, "export", None)
    assert race.contestants.prepare("DnCNN", raced.folder, raced.folder) == raced.files


def test_a_way_that_fails_is_left_out_and_named(race: Any, raced: Any, monkeypatch: pytest.MonkeyPatch):
    def broken(name: str, files: Any, lineup: Any, *, compiled: bool) -> list[Any]:
        good = [lineup.approach(each) for each in (BAKED, OURS, NAIVE)]
        torn = race.ways.PlainSession(name="torn", files=(raced.folder / "gone.onnx",), provider="cpu")
        other = race.ways.PlainSession(name="another strength", files=lineup.approach(BAKED).files, provider="cpu")
        return [*good, torn, other]

    monkeypatch.setattr(race.engines, "ways", broken)
    case = race.engines.measure("DnCNN", raced.files, raced.folder, 16, 1, compiled=False, quick=True, say=silent)
    assert [row["approach"] for row in case["rows"]] == [BAKED, OURS, NAIVE]
    assert case["left_out"].keys() == {"torn", "another strength"}
    assert "gone.onnx" in case["left_out"]["torn"]


def test_a_published_ncnn_file_computes_what_pytorch_computes(race: Any, tmp_path: Path):
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(3, 4, 3)
    param, binary = tmp_path / "net.param", tmp_path / "net.bin"
    param.write_text("7767517\n2 2\nInput in 0 1 in0\nConvolution conv 1 1 in0 out0 0=4 1=3 5=1 6=108\n")
    weights = convolution.weight.detach().numpy(), convolution.bias.detach().numpy()
    binary.write_bytes(bytes(4) + b"".join(each.astype(np.float32).tobytes() for each in weights))
    x = np.random.default_rng(0).random((1, 3, 9, 12), np.float32)
    way = race.ways.Ncnn(name="published", files=(param, binary), strengths=((1.0,),), padding=2)
    running = way.open(2)
    padded = torch.nn.functional.pad(torch.from_numpy(x), (2, 2, 2, 2), mode="reflect")
    with torch.inference_mode():
        np.testing.assert_allclose(running(x, (1.0,)), convolution(padded).numpy(), rtol=0, atol=1e-5)
    running.close()


def case(race: Any, times: dict[str, tuple[float, float | None]], threads: int = 2) -> Any:
    """Of a network whose baked file takes 10 ms: by way milliseconds held and moving."""
    held = {way: each[0] / 1e3 for way, each in {BAKED: (10.0, None), **times}.items()}
    moving = {way: each[1] / 1e3 for way, each in times.items() if each[1] is not None} | {BAKED: 0.01}
    rows = [
        {"approach": way, "held_ms": {"median": ms * 1e3}, "note": f"note of {way}", "difference": 1e-6}
        for way, ms in held.items()
    ]
    return {
        "model": "Net", "height": 64, "width": 64, "threads": threads, "rows": rows, "left_out": {"lame": "it fell"},
        "rounds": {"held": [held] * 3, "moving": [moving] * 3},
    }  # fmt: skip


def failed(race: Any, *cases: Any) -> list[str]:
    return [bound.what for bound in race.bounds.check_bounds(cases) if not bound.holds]


def test_what_is_promised_is_checked(race: Any):
    ncnn = race.ways.PUBLISHED_NCNN
    good = {OURS: (10.0, 10.4), FASTEST: (8.1, 8.4), ncnn: (8.0, None)}
    assert failed(race, case(race, good)) == []
    assert failed(race, case(race, good | {ncnn: (7.0, None)})) == [f"{FASTEST}: alpha held / the best of the others"]
    assert failed(race, case(race, good | {ncnn: (7.0, None)}, threads=1)) == []
    assert failed(race, case(race, good | {FASTEST: (8.1, 9.0)})) == [f"{FASTEST}: new alpha every call / held"]
    assert failed(race, case(race, {OURS: (9.9, 10.0), ncnn: (8.0, None)})) == [
        f"{OURS}: alpha held / the best of the others"  # who has no other engine has to be as fast
    ]
    (held, *_) = race.bounds.check_bounds([case(race, good)])
    assert (held.rival, held.value) == (ncnn, pytest.approx(8.1 / 8.0))


def test_callers_batches_and_threads_are_measured(race: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, numbers in (("CLIENTS", (1, 4)), ("THREADS", (1, 16)), ("BATCHES", (1, 4))):
        monkeypatch.setattr(race.callers, name, numbers)
    path = save(conv_stack(), tmp_path / "model.onnx")
    files = race.contestants.RaceFiles(path, path, path)
    found = race.callers.measure("stack", files, tmp_path, 16, quick=True, say=silent)
    served = {(each["way"], each["clients"]): each["per_second"] for each in found["served"]}
    assert {clients for _, clients in served} == set(race.callers.CLIENTS)
    assert served[f"{OURS}, 1 thread", 4] > 0 and served[f"{OURS}, new alphas", 4] > 0
    assert {each["images"] for each in found["batched"]} == set(race.callers.BATCHES)
    assert {each["threads"] for each in found["threads_asked"]} == set(race.callers.THREADS)
    assert "| 1 caller | 4 callers |" in "\n".join(race.page._callers([found]))


def test_a_caller_that_fails_ends_the_measurement(race: Any):
    def broken(x: Any) -> Any:
        raise ValueError("of the model")

    with pytest.raises(ValueError, match="of the model"):
        race.callers._throughput(broken, np.zeros(1), 3, 0.01)


def test_memory_is_that_of_a_process_of_its_own(race: Any, tmp_path: Path):
    path = save(conv_stack(), tmp_path / "model.onnx")
    own, resident = race.memory._in_process(race.memory.ALPHAS, 2, path, [], 16)
    assert 0 < own <= resident < 1e9
    processes = race.memory._side_by_side(2, path, [], 16)
    assert processes.count == 2 and 0 < processes.own < processes.share


def test_the_page_says_what_does_not_hold_first(race: Any, tmp_path: Path):
    ncnn = race.ways.PUBLISHED_NCNN
    cases = [
        case(race, {OURS: (10.0, 10.1), FASTEST: (9.0, 9.0), ncnn: (8.0, None), NAIVE: (12.0, 13.0)}, n) for n in (2, 1)
    ]
    bounds = race.bounds.check_bounds(cases)
    found = {"engines": cases, "callers": [], "memory": []}
    text = race.page.page(found, bounds, machine(hardware()), ["callers, Net, 32: it fell"])
    verdicts = [line for line in text.splitlines() if line.endswith(("hold** |", "| holds |"))]
    assert verdicts[0] == (
        f"| {FASTEST}: alpha held / the best of the others | Net 64 x 64 | {ncnn} | 1.125 | 1.02 | **does not hold** |"
    )
    assert len(verdicts) == len(bounds) == 3
    assert "| Net 64 x 64 | 10.0 ms | 0.90 | 1.00 | **0.80** |" in text  # fastest, baked, ncnn
    assert "| Net 64 x 64 | 10.0 ms | 1.01 | **0.90** | 1.30 |" in text  # ours, fastest, naive
    assert "- callers, Net, 32: it fell" in text and "lame took no part: it fell" in text
    race.plots.plot(cases, [], tmp_path / "race.png")
    assert (tmp_path / "race.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_goes_on_where_it_was_stopped(race: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ran: list[str] = []

    def in_process(job: Any, *rest: Any) -> Any:
        ran.append(job["name"])
        return {"job": job, "seconds": 1.0, "machine": {}} | ({"failed": "x"} if len(ran) == 2 else {"found": {}})

    monkeypatch.setattr(race.run, "prepare", lambda *arguments: None)
    monkeypatch.setattr(race.run, "in_process", in_process)
    monkeypatch.setenv("DNI_CACHE_DIR", "")
    wanted = [{"part": "engines", "name": name} for name in ("a", "b", "c")]
    for _ in range(2):
        race.run.run_jobs(wanted, tmp_path / "files", tmp_path, tmp_path / "race.jsonl", True)
    assert ran == ["a", "b", "c", "b"]  # what failed is tried again, what succeeded is not
    lines = [json.loads(line) for line in (tmp_path / "race.jsonl").read_text().splitlines()]
    assert ["found" in line for line in lines] == [True, False, True, True]
    shutil.rmtree(tmp_path / "files")


def test_a_job_that_fails_is_told_with_its_last_words(race: Any, tmp_path: Path):
    line = race.run.in_process({"part": "memory", "name": "nobody", "size": 1}, tmp_path, tmp_path, True)
    assert "nobody" in line["failed"] and "found" not in line


def test_the_jobs_are_those_that_were_asked_for(race: Any):
    every = race.run.jobs((), False)
    assert len(every) == len({json.dumps(job) for job in every}) == 12 + 4 + 3 + 2
    assert {job["part"] for job in race.run.jobs(("callers",), False)} == {"callers"}
    assert {job["name"] for job in race.run.jobs(("DnCNN",), False)} == {"DnCNN"}
