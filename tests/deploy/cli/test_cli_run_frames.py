"""`dni run --alpha-from` on one machine: an alpha for each frame, and going on after an interruption."""

import hashlib
import json
import shutil
import signal
import time
from pathlib import Path

import pytest
from commands import dni, names
from frames_with_alphas import Frames, assert_made, results
from onnx_models import conv_stack, picture, save
from photographs import save_image

from dni_deploy.frames.finished import FOLDER

COUNT = 5


@pytest.fixture
def frames(tmp_path: Path) -> Frames:
    return Frames.make(tmp_path, COUNT)


def kept(frames: Frames, output: Path, *options: object) -> list[bool]:
    """Run again; which frames were there already."""
    return [entry["kept"] for entry in frames.run(output, *options, "--json").assert_ok().json_lines]


def state(path: Path) -> tuple[int, int]:
    """What changes whenever a file is written again."""
    return path.stat().st_mtime_ns, path.stat().st_ino


def test_every_frame_has_its_own_alpha(frames: Frames, tmp_path: Path):
    result = frames.run(tmp_path / "out").assert_ok()
    assert_made(frames, tmp_path / "out")
    assert [line.split()[:3] for line in result.out.splitlines()] == [
        [str(tmp_path / "out" / name), "alpha", f"{index / COUNT:g}"] for index, name in enumerate(frames.names)
    ]


def test_the_results_are_those_of_a_run_without_a_table(frames: Frames, tmp_path: Path):
    frames.write_table(dict.fromkeys(frames.names, 0.3))
    frames.run(tmp_path / "out").assert_ok()
    dni(
        "run", frames.model, tmp_path / "frames", "--alpha", "0.3", "--threads", "1", "-o", tmp_path / "plain"
    ).assert_ok()
    assert results(tmp_path / "out") == results(tmp_path / "plain")


def test_started_again_it_does_what_is_missing(frames: Frames, tmp_path: Path):
    output = tmp_path / "out"
    frames.run(output).assert_ok()
    made = results(output)
    assert kept(frames, output) == [True] * COUNT
    (output / "0002.png").unlink()
    untouched = state(output / "0001.png")
    assert kept(frames, output) == [True, True, False, True, True]
    assert results(output) == made
    assert state(output / "0001.png") == untouched
    assert "0002.png  alpha 0.4  finished before\n" in frames.run(output).out


def test_copies_count_as_finished(frames: Frames, tmp_path: Path):
    frames.run(tmp_path / "out").assert_ok()
    shutil.copytree(tmp_path / "out", tmp_path / "copy", copy_function=shutil.copy)  # without the times
    assert kept(frames, tmp_path / "copy") == [True] * COUNT


@pytest.mark.parametrize(("change", "again"), [
    ("alpha", [2]), ("input", [1]), ("result", [3]), ("model", range(COUNT)), ("tile", range(COUNT)),
])  # fmt: skip
def test_what_changed_is_made_again_but_not_without_force(
    frames: Frames, tmp_path: Path, change: str, again: list[int]
):
    output = tmp_path / "out"
    frames.run(output).assert_ok()
    options = ["--tile", "16"] if change == "tile" else []
    if change == "alpha":
        frames.write_table({name: 0.41 if name == "0002.png" else i / COUNT for i, name in enumerate(frames.names)})
    elif change == "input":
        save_image(tmp_path / "frames" / "0001.png", picture(24, 32, 3, seed=99))
    elif change == "result":
        shutil.copy(output / "0000.png", output / "0003.png")
    elif change == "model":
        save(conv_stack(seed=1), frames.model)
    before = results(output)
    more = f" and {len(again) - 1} more results exist" if len(again) > 1 else " exists"
    refused = frames.run(output, *options)
    assert (refused.code, refused.out) == (1, "")
    assert (
        f"{frames.names[again[0]]}{more} already, and not just as this run would make it "
        "(input, alpha, model, options); choose another output, or replace with --force (overwrite=True), which keeps "
        f"finished results ({COUNT - len(again)} here)"
    ) in refused.err
    assert results(output) == before
    assert kept(frames, output, *options, "--force") == [index not in again for index in range(COUNT)]
    assert kept(frames, output, *options) == [True] * COUNT
    changed = {name for name, content in results(output).items() if content != before[name]}
    assert changed == {frames.names[index] for index in again} or change == "tile"


def test_weights_in_another_file_belong_to_the_model(tmp_path: Path):
    frames = Frames.make(tmp_path, 2)
    save(conv_stack(), frames.model, external=True)
    frames.run(tmp_path / "out").assert_ok()
    assert kept(frames, tmp_path / "out") == [True, True]
    data = tmp_path / "model.onnx.data"
    data.write_bytes(data.read_bytes()[::-1])
    assert "and not just as this run would make it" in frames.run(tmp_path / "out").err


def test_files_of_others_are_in_the_way(frames: Frames, tmp_path: Path):
    save_image(tmp_path / "out" / "0003.png", picture(8, 8, 3))
    before = results(tmp_path / "out")
    result = frames.run(tmp_path / "out")
    assert (result.code, result.out) == (1, "")
    assert "0003.png exists already, and not just as this run would make it" in result.err
    assert names(tmp_path / "out") == ["0003.png"]
    assert results(tmp_path / "out") == before


def test_a_result_of_the_same_name_by_another_command_is_not_taken_for_ours(frames: Frames, tmp_path: Path):
    output = tmp_path / "out"
    frames.run(output).assert_ok()
    dni("run", frames.model, tmp_path / "frames", "--alpha", "0.9", "-o", output, "--force").assert_ok()
    assert "and 4 more results exist already" in frames.run(output).err


def test_a_frame_that_fails_is_reported_and_made_when_it_is_mended(frames: Frames, tmp_path: Path):
    output, broken = tmp_path / "out", tmp_path / "frames" / "0001.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    result = frames.run(output, "--json")
    assert result.code == 1
    assert [bool(entry["error"]) for entry in result.json_lines] == [False, True, False, False, False]
    assert result.err.splitlines()[-1].startswith(f"failed: {broken} is damaged")
    assert sorted(results(output)) == [name for name in frames.names if name != "0001.png"]
    broken.write_bytes(whole)
    assert kept(frames, output) == [True, False, True, True, True]
    assert_made(frames, output)


def test_killed_it_goes_on_where_it_was(tmp_path: Path):
    frames, output = Frames.make(tmp_path, 12, (300, 400)), tmp_path / "out"
    process = frames.start(output)
    while len(list(output.glob("*.png"))) < 4:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (output / unfinished("0009.png")).touch()  # as a kill at another moment would have left
    done = [name for name in frames.names if (output / name).exists()]
    assert 4 <= len(done) < 12
    states = {name: state(output / name) for name in done}
    assert [name for name, was in zip(frames.names, kept(frames, output), strict=True) if was] == done
    assert {name: state(output / name) for name in done} == states
    assert_made(frames, output)


def unfinished(name: str) -> str:
    """What a result is called while it is written."""
    return f".dni-{hashlib.sha256(name.encode()).hexdigest()[:8]}0123abcd.tmp"


def test_only_our_own_unfinished_files_are_removed(frames: Frames, tmp_path: Path):
    output = tmp_path / "out"
    ours = unfinished("0001.png")
    others = [unfinished("photo.png"), ".0001.png.tmp", ours[1:], ours.replace(".tmp", "0.tmp"), f"{ours}.txt"]
    output.mkdir()
    for name in [*others, ours]:
        (output / name).touch()
    frames.run(output).assert_ok()
    assert set(results(output)) == {*frames.names, *others}


def test_a_line_that_was_cut_short_is_no_line(frames: Frames, tmp_path: Path):
    output = tmp_path / "out"
    frames.run(output).assert_ok()
    (listed,) = (output / FOLDER).iterdir()
    lines = listed.read_text().splitlines(keepends=True)
    listed.write_text("".join(lines[:-1]) + lines[-1][:50])
    for junk in ("[]\n", '{"key": 1}\n', "\0\xff"):
        (output / FOLDER / f"{len(junk)}.jsonl").write_text(junk)
    lost = json.loads(lines[-1])["output"]
    assert f"{lost} exists already, and" in frames.run(output).err
    (output / lost).unlink()
    assert kept(frames, output) == [name != lost for name in frames.names]


def test_the_record_comes_before_the_result(frames: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A result without a line would be in its own way after a crash."""
    monkeypatch.setattr("os.link", lambda *names, **options: (_ for _ in ()).throw(KeyboardInterrupt))
    frames.run(tmp_path / "out")
    monkeypatch.undo()
    (listed,) = (tmp_path / "out" / FOLDER).iterdir()
    noted = [json.loads(line)["output"] for line in listed.read_text().splitlines()]
    assert "0000.png" in noted and set(noted) <= set(frames.names)  # several are written at once
    assert results(tmp_path / "out") == {}
    assert kept(frames, tmp_path / "out") == [False] * COUNT


def test_a_sheet_shows_finished_frames_too(frames: Frames, tmp_path: Path):
    frames.run(tmp_path / "out").assert_ok()
    frames.run(tmp_path / "out", "--sheet", tmp_path / "sheet.png").assert_ok()
    assert (tmp_path / "sheet.png").exists()


def test_alphas_from_a_table_and_from_the_command_line(frames: Frames, tmp_path: Path):
    message = "give either --alpha (for all images) or --alpha-from (one for each), not both"
    frames.run(tmp_path / "out", "--alpha", "0.5").assert_usage(message)


@pytest.mark.parametrize("inputs", [["frames/0000.png"], ["frames", "frames"]])
def test_a_table_is_for_one_folder(frames: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inputs: list[str]):
    monkeypatch.chdir(tmp_path)
    result = dni("run", frames.model, *inputs, "--alpha-from", frames.table, "-o", "out")
    assert (result.code, result.out) == (1, "")
    assert "a table of alphas is for the images of one folder, but " in result.err
    assert not (tmp_path / "out").exists()


def test_an_alpha_that_the_model_does_not_take_is_found_before_anything_runs(frames: Frames, tmp_path: Path):
    frames.write_table({name: 0.5 + index / 2 for index, name in enumerate(frames.names)})
    result = frames.run(tmp_path / "out")
    assert (result.code, result.out) == (1, "")
    assert "alphas.csv, line 4: alpha 1.5 is out of range; expected a finite number in 0..1" in result.err
    assert not (tmp_path / "out").exists()
