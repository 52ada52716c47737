"""The work of a night: a folder whose run is interrupted, started twice at once, or not watched in a terminal."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from commands import Result, dni, results_in
from onnx_models import conv_stack, picture, save
from photographs import save_image

from dni_deploy import terminal
from dni_deploy.frames.finished import FOLDER
from dni_deploy.image_files.read_write import read_image
from dni_runtime import load

COUNT = 12
PATIENCE_S = 60


@dataclass(frozen=True)
class Folder:
    """`COUNT` photographs, each a while's work, and commands that run them into `output`."""

    place: Path

    @property
    def output(self) -> Path:
        return self.place / "out"

    @property
    def names(self) -> list[str]:
        return [f"{index:02d}.png" for index in range(COUNT)]

    def arguments(self, *options: object, alpha: float = 0.5) -> list[str]:
        words = ["run", self.place / "model.onnx", self.place / "in", "--alpha", alpha, "-o", self.output, *options]
        return [*map(str, words), "--threads", "1"]

    def run(self, *options: object, alpha: float = 0.5) -> Result:
        return dni(*self.arguments(*options, alpha=alpha))

    def start(self, *options: object, alpha: float = 0.5) -> "subprocess.Popen[str]":
        command = [str(Path(sys.executable).with_name("dni")), *self.arguments(*options, alpha=alpha)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def interrupt(self, *options: object) -> tuple[list[str], Result]:
        """Ctrl-C once a few results are there; which these were in the end, and what was said."""
        process = self.start(*options)
        wait_for(lambda: len(list(self.output.glob("*.png"))) >= 3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
        return results_in(self.output), Result(process.returncode, out, err)

    def kept(self, *options: object, alpha: float = 0.5) -> list[str]:
        """Run again; what was there already."""
        lines = self.run(*options, "--json", alpha=alpha).assert_ok().json_lines
        assert [Path(line["output"]).name for line in lines] == self.names
        return [Path(line["output"]).name for line in lines if line["kept"]]


def wait_for(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    save(conv_stack(), tmp_path / "model.onnx")
    for index in range(COUNT):
        save_image(tmp_path / "in" / f"{index:02d}.png", picture(600, 800, 3, seed=index))
    return Folder(tmp_path)


def test_ctrl_c_says_what_is_done_and_the_same_command_goes_on(folder: Folder):
    made, said = folder.interrupt()
    assert said.code == 130
    assert 3 <= len(made) < COUNT
    assert said.err.splitlines()[-1] == (
        f"interrupted: {len(made)} of {COUNT} results are there; the same command goes on from here"
    )
    assert [Path(line.split("  ")[0]).name for line in said.out.splitlines()] == made
    times = {name: (folder.output / name).stat().st_mtime_ns for name in made}
    assert folder.kept() == made
    assert {name: (folder.output / name).stat().st_mtime_ns for name in made} == times
    assert folder.kept() == folder.names


def test_one_file_has_nothing_to_go_on_with(folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dni_runtime.Model.enhance", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    run = ("run", tmp_path / "model.onnx", tmp_path / "in" / "00.png", "--alpha", "0.5", "-o", tmp_path / "one.png")
    result = dni(*run)
    assert (result.code, result.out) == (130, "")
    assert result.err.splitlines()[-1] == "interrupted: 0 of 1 results are there"
    monkeypatch.undo()
    dni(*run).assert_ok()
    assert not (tmp_path / FOLDER).exists()
    dni(*run).assert_error("one.png exists already; choose another output, or replace with --force")


def test_a_line_comes_as_soon_as_its_result_is_there(folder: Folder):
    process = folder.start("--json")
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    assert process.poll() is None
    assert (first["output"], first["error"]) == (str(folder.output / "00.png"), None)
    assert Path(first["output"]).exists()
    rest = process.stdout.readlines()  # not communicate(), which leaves out what came with the first line
    process.communicate(timeout=PATIENCE_S)
    assert [json.loads(line)["output"] for line in rest] == [str(folder.output / name) for name in folder.names[1:]]


def test_the_same_run_twice_at_once(folder: Folder):
    processes = [folder.start("--json") for _ in range(2)]
    said = [process.communicate(timeout=PATIENCE_S) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    entries = [[json.loads(line) for line in out.splitlines()] for out, _ in said]
    assert all([entry["error"] for entry in one] == [None] * COUNT for one in entries)
    # Each result was made by one of both, and kept by the other if that came later.
    assert all(not (a["kept"] and b["kept"]) for a, b in zip(*entries, strict=True))
    assert results_in(folder.output) == folder.names
    with load(folder.place / "model.onnx", "cpu", threads=1) as model:
        for name in folder.names:
            expected = model.enhance(read_image(folder.place / "in" / name), 0.5)
            np.testing.assert_array_equal(read_image(folder.output / name), expected)
    assert folder.kept() == folder.names


def test_two_different_runs_at_once_keep_each_others_results(folder: Folder):
    alphas = (0.25, 0.75)
    processes = [folder.start("--json", alpha=alpha) for alpha in alphas]
    said = [process.communicate(timeout=PATIENCE_S) for process in processes]
    refused = re.compile("exists? already|written by something else")
    assert any(refused.search(err) for _, err in said), said
    owners = {}
    for alpha, (out, _) in zip(alphas, said, strict=True):
        for entry in map(json.loads, out.splitlines()):
            if entry["error"] is None:
                assert owners.setdefault(Path(entry["output"]).name, alpha) == alpha
            else:
                assert "was written by something else in the meantime, and is kept" in entry["error"]
    assert sorted(owners) == folder.names
    with load(folder.place / "model.onnx", "cpu", threads=1) as model:
        for name, alpha in owners.items():
            expected = model.enhance(read_image(folder.place / "in" / name), alpha)
            np.testing.assert_array_equal(read_image(folder.output / name), expected)


def test_results_that_are_there_are_skipped_whatever_they_are(folder: Folder):
    folder.output.mkdir()
    (folder.output / "03.png").write_bytes(b"theirs")
    folder.run().assert_error("03.png exists already, and not just as this run would make it")
    lines = folder.run("--skip-existing").assert_ok().out.splitlines()
    assert lines[3] == f"{folder.output / '03.png'}  alpha 0.5  there already"
    assert sum("there already" in line for line in lines) == 1
    assert (folder.output / "03.png").read_bytes() == b"theirs"
    assert folder.kept("--skip-existing", alpha=0.9) == folder.names
    folder.run("--skip-existing", "--force").assert_usage("give either --force")


def test_another_strength_is_in_the_way_and_replaced_alone(folder: Folder):
    folder.run().assert_ok()
    folder.run(alpha=0.75).assert_error("and 11 more results exist already, and not just as this run would make it")
    (folder.place / "in" / "05.png").write_bytes((folder.place / "in" / "04.png").read_bytes())
    folder.run().assert_error("05.png exists already, and not just as this run would make it")
    assert folder.kept("--force") == [name for name in folder.names if name != "05.png"]
    assert folder.kept() == folder.names


def test_several_strengths_of_a_photograph_go_on_too(folder: Folder):
    run = ("run", folder.place / "model.onnx", folder.place / "in" / "00.png", "--alpha", "0:1:0.25", "-o")
    dni(*run, folder.output).assert_ok()
    (folder.output / "00_alpha0.50.png").unlink()
    entries = dni(*run, folder.output, "--json").assert_ok().json_lines
    assert [entry["kept"] for entry in entries] == [True, True, False, True, True]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1.0, []),  # over after 12 s, and told of once
        (6.0, ["2 of 12 (17%), about 1 min left: 01.png"]),
        (50.0, ["2 of 12 (17%), about 9 min left: 01.png", "3 of 12 (25%), about 8 min left: 02.png"]),
        (4000.0, ["1 of 12 (8%), about 12 h 14 min left: 00.png", "2 of 12 (17%), about 11 h 7 min left: 01.png"]),
    ],
)
def test_progress_without_a_terminal_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seconds: float, expected: list[str]
):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with terminal.Terminal(sys.stderr).progress() as report:
        report(0, COUNT, Path("00.png"))
        for index in range(COUNT):
            now += seconds
            report(index + 1, COUNT, Path(f"{index:02d}.png"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[: len(expected)] == expected
    assert len(lines) == {1.0: 1, 6.0: 5, 50.0: 9, 4000.0: 11}[seconds]
