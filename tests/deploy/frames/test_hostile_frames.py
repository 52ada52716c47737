"""Frames, tables and lists of what is finished that are no files, or no lists: nothing waits, nothing is believed."""

import os
import sys
from pathlib import Path

import pytest
from commands import names, process
from frames_with_alphas import Frames

from dni_deploy.frames.finished import FOLDER, noted_results


def test_frames_go_on_past_what_is_no_file(tmp_path: Path):
    frames = Frames.make(tmp_path, 3)
    (tmp_path / "frames" / "0001.png").unlink()
    os.mkfifo(tmp_path / "frames" / "0001.png")
    program = [str(Path(sys.executable).with_name("dni")), *map(str, frames.arguments(tmp_path / "out", "--json"))]
    for _ in range(2):  # again, it compares the inputs with what is finished
        result = process(["timeout", "30", *program])
        errors = [entry["error"] for entry in result.json_lines]
        assert errors == [None, f"{tmp_path / 'frames' / '0001.png'} is a named pipe; expected an image file", None]
    assert [entry["kept"] for entry in result.json_lines] == [True, False, True]


def test_lists_of_what_is_finished_may_be_anything(tmp_path: Path):
    frames, lists = Frames.make(tmp_path, 2), tmp_path / "out" / ".dni-run"
    lists.mkdir(parents=True)
    os.mkfifo(lists / "a.jsonl")
    (lists / "b.jsonl").symlink_to("/dev/zero")
    (lists / "c.jsonl").write_bytes(b"[" * 100_000 + b"\n\xff\xfe\n{}\n")
    program = [str(Path(sys.executable).with_name("dni")), *map(str, frames.arguments(tmp_path / "out"))]
    process(["timeout", "30", *program]).assert_ok()
    assert names(tmp_path / "out") == [".dni-run", *frames.names]


@pytest.mark.parametrize("kind", ["is a named pipe", "is a device", "is a folder", "has more than 32 MiB"])
def test_a_table_that_is_no_file(tmp_path: Path, kind: str):
    frames = Frames.make(tmp_path, 2)
    frames.table.unlink()
    if kind == "is a named pipe":
        os.mkfifo(frames.table)
    elif kind == "is a device":
        frames.table.symlink_to("/dev/zero")
    elif kind == "is a folder":
        frames.table.mkdir()
    else:
        with frames.table.open("wb") as file:
            file.truncate(2**40)
    result = frames.run(tmp_path / "out")
    assert (result.code, result.out) == (1, "")
    assert f"alphas.csv {kind}; expected a CSV file" in result.err
    assert not (tmp_path / "out").exists()


def test_lines_that_are_not_ours_are_no_results(tmp_path: Path):
    """A run that looks into a stranger's folder goes on whatever its notes say."""
    (tmp_path / FOLDER).mkdir()
    lines = ["[1, 2]", '"x"', "null", "5", "{", '{"output": 3}', '{"output": null}', '{"output": "a", "input": [1]}']
    ours = ['{"output": "b.png"}', '{"output": "c.png", "input": "../c.png"}']
    (tmp_path / FOLDER / "0.jsonl").write_text("\n".join([*lines, *ours, "[" * 100_000]))
    found = {Path(result).name: source for result, source in noted_results(tmp_path).items()}
    assert found == {"b.png": None, "c.png": str(tmp_path.parent.resolve() / "c.png")}
