"""The benchmark of strangers' files: it sees each fault that it looks for, and calls nothing else one.

What commits the faults here does so for real, in processes of its own, as the commands under test run in it.
"""

import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_scripts import BENCHMARKS, scripts

MODULES = (
    "attempt",
    "case",
    "commands",
    "from_packages",
    "images",
    "inputs",
    "kit",
    "mutations",
    "outcome",
    "page",
    "pictures",
    "worker",
)
_SECONDS, _MB = 5.0, 400.0


@pytest.fixture(scope="module")
def benchmark() -> Iterator[Any]:
    with scripts("hostile", MODULES) as modules:
        yield modules


def raises(place: Any, file: Path) -> Any:
    raise KeyError("x")


def crashes(place: Any, file: Path) -> Any:
    os.kill(os.getpid(), signal.SIGSEGV)


def hangs(place: Any, file: Path) -> Any:
    time.sleep(60)


def takes_memory(place: Any, file: Path) -> Any:
    return np.ones(500_000_000, np.uint8).sum()


def runs_a_program(place: Any, file: Path) -> Any:
    subprocess.run(["true"])


def runs_a_payload(place: Any, file: Path) -> Any:
    os.system(f"touch {place.executed}")


def connects(place: Any, file: Path) -> Any:
    with socket.socket() as connection:
        connection.connect_ex(("127.0.0.1", 9))


def reads_outside(place: Any, file: Path) -> Any:
    Path(place.inputs, "../secret.txt").read_bytes()


def reads_outside_in_c(place: Any, file: Path) -> Any:
    libc = ctypes.CDLL(None)
    libc.close(libc.open(os.fsencode(place.baits[-1]), os.O_RDONLY))
    return answers_right(place, file)


def lets_it_out(place: Any, file: Path) -> Any:
    (place.outputs / "leak").write_text(f"x {import_module('case').SECRET} y")
    return answers_right(place, file)


def writes_outside(place: Any, file: Path) -> Any:
    (place.outputs / "../victim.txt").write_text("x")


def removes_in_c(place: Any, file: Path) -> Any:
    ctypes.CDLL(None).unlink(os.fsencode(place.baits[0]))
    return answers_right(place, file)


def answers_right(place: Any, file: Path) -> Any:
    (place.outputs / "result").write_text("x")
    assert file.read_bytes() == b"good"
    return import_module("attempt").Answer("right")


OFFENDERS = {
    raises: "traceback",
    crashes: "traceback",
    hangs: "hang",
    takes_memory: "memory",
    runs_a_program: "executed",
    runs_a_payload: "executed",
    connects: "executed",
    reads_outside: "read outside",
    reads_outside_in_c: "read outside",
    lets_it_out: "read outside",
    writes_outside: "written outside",
    removes_in_c: "written outside",
    answers_right: "right",
}


def make_good(place: Any) -> Path:
    file = place.inputs / "good"
    file.write_bytes(b"good")
    return file


def test_every_fault_is_seen_and_counts_alone(benchmark: Any, tmp_path: Path):
    """What an offender does has no effect on the innocent one that comes last."""
    ways = {"image": {action.__name__: action for action in OFFENDERS}}
    case = benchmark.case.Case("image", "planted", "a file", make_good)
    limits = benchmark.attempt.Limits(_SECONDS, _MB)
    (outcomes,) = benchmark.worker.try_all([case], ways, tmp_path, [], 1, limits)
    assert {outcome.way: outcome.result for outcome in outcomes} == {
        action.__name__: result for action, result in OFFENDERS.items()
    }
    by_way = {outcome.way: outcome for outcome in outcomes}
    assert by_way["hangs"].seconds >= _SECONDS
    assert by_way["takes_memory"].peak_mb > _MB > by_way["answers_right"].peak_mb
    assert all(len(outcome.sha256) == 64 for outcome in outcomes)
    rows = benchmark.outcome.count(outcomes)
    assert [row["outcomes"] for row in rows] == [{result: 1} for result in OFFENDERS.values()]
    found = benchmark.outcome.faults(outcomes)
    assert sum(fault["inputs"] for fault in found) == len(OFFENDERS) - 1
    assert found[0]["result"] == "executed"


def test_words_are_judged(benchmark: Any):
    said, judge = benchmark.commands.Said, benchmark.commands.judge
    judged = {
        said(0, "out.png  0.1 s\n", "running on cpu (x)\n"): "right",
        said(1, "", "running on cpu (x)\nfailed: x.png is damaged\n"): "refused",
        said(1, "", "Error: they differ\n  w: (3,) and (4,)\nExpected: the same\n"): "refused",
        said(1, "", "Error: a\nError: b\n"): "no sentence",
        said(1, "", "Error: a\nb\n"): "no sentence",
        said(1, "", ""): "no sentence",
        said(2, "", "Usage: dni\n"): "no sentence",
        said(0, "name \x1b[2J", ""): "escape sequence",
        said(1, "", "Error: \u202egnp\n"): "escape sequence",
    }
    assert {words: judge(words).result for words in judged} == judged


@pytest.mark.parametrize(("bits", "color", "there"), [(8, 2, 16), (16, 6, 16), (16, 2, 7), (16, 2, 17)])
def test_pictures_are_compared(benchmark: Any, tmp_path: Path, bits: int, color: int, there: int):
    """Whole ones are right in both ways, with good ones beside them; one that lacks rows is refused."""
    data = benchmark.pictures.png(16, 16, bits, color, benchmark.pictures.rows(16, there, bits, color))
    make = partial(benchmark.from_packages.write, data=data, name="stranger.png")
    ways = {"image": benchmark.kit.make_kit(tmp_path / "kit", None)["image"]}
    case = benchmark.case.Case("image", "rows", "stranger", make)
    (outcomes,) = benchmark.worker.try_all([case], ways, tmp_path, [tmp_path, *BENCHMARKS.parents])
    assert [outcome.way for outcome in outcomes] == ["read_image", "run"]
    whole = "right" if there >= 16 else "refused"
    assert [outcome.result for outcome in outcomes] == [whole, whole], outcomes


def test_a_wrong_picture_is_seen(benchmark: Any, tmp_path: Path):
    data = benchmark.pictures.png(16, 16, 8, 2, benchmark.pictures.rows(16, 16, 8, 2))
    (tmp_path / "x.png").write_bytes(data)
    right = benchmark.images._reference(tmp_path / "x.png")
    assert benchmark.images._compare(right, tmp_path / "x.png").result == "right"
    assert benchmark.images._compare(right ^ 16, tmp_path / "x.png").result == "wrong result"
    assert benchmark.images._compare(right[:-1], tmp_path / "x.png").result == "wrong result"


def test_inputs_are_made_of_the_seed(benchmark: Any):
    names = [(case.kind, case.family, case.name) for case in benchmark.inputs.all_cases({}, 1)]
    assert len(names) == len(set(names)) > 2500
    mutate, good = benchmark.mutations.mutate, benchmark.mutations.good("bmp")
    assert mutate(good, random.Random("1/x")) == mutate(good, random.Random("1/x"))
    assert mutate(good, random.Random("1/x")) != mutate(good, random.Random("2/x"))


@pytest.mark.parametrize("broken", [False, True])
def test_a_run_fails_on_a_fault(tmp_path: Path, broken: bool):
    """Of this code, and of a copy in which one exception of a decoder gets out."""
    root = BENCHMARKS.parent
    for package in ("dni_deploy", "exporters/dni_exporters", "runtime/dni_runtime"):
        shutil.copytree(root / package, tmp_path / "code" / Path(package).name)
    if broken:
        with (tmp_path / "code" / "dni_deploy" / "image_files" / "read_write.py").open("a") as file:
            file.write("\n\ndef read_image(path: Path) -> Any:\n    raise IndexError(path)\n")
    command = [sys.executable, BENCHMARKS / "hostile" / "run.py", "--no-fetch", "--cache", tmp_path, "--only", "image",
               "--family", "rows of a PNG", "--name", "8 bits, type 0, 17 of 16", "-o",
               tmp_path / "results"]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": f"{tmp_path}/code"})
    assert run.returncode == broken, run.stderr
    lines = [json.loads(line) for line in (tmp_path / "results" / "hostile.jsonl").read_text().splitlines()]
    read = next(line for line in lines[1:] if line.get("way") == "read_image")
    assert read["inputs"] == 2 and (read["outcomes"] == {"traceback": 2}) == broken
    page = (tmp_path / "results" / "hostile.md").read_text()
    assert ("None." in page) != broken
    assert ("IndexError" in page) == broken
