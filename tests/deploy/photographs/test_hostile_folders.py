"""A folder in which some files are hostile: each is one line of error, and all others are made."""

import os
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import dni, names, process, results_in
from onnx_models import conv_stack, picture, save
from photographs import save_image
from PIL import Image
from png_files import png

from dni_deploy.image_files.read_write import read_image, write_image
from dni_deploy.photographs.enhance_files import enhance_files
from dni_runtime import load

LONG = "n" * 251 + ".png"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(conv_stack(), tmp_path / "model.onnx")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two good images, the first and the last."""
    for name in ("a.png", "z.png"):
        save_image(tmp_path / "photos" / name, picture(12, 16, 3))
    return tmp_path / "photos"


def run(model: Path, inputs: Path, output: Path, *options: object) -> tuple[list[dict[str, Any]], str]:
    """The report, and what is said on stderr, of a run in a process of its own that has half a minute."""
    arguments = ["run", model, inputs, "--alpha", "0.5", "-o", output, "--json", *options]
    program = [str(Path(sys.executable).with_name("dni")), *map(str, arguments)]
    result = process(["timeout", "30", *program])
    assert "Traceback" not in result.err
    return result.json_lines, result.err


def test_what_is_no_file_is_told_by_what_it_is(model: Path, folder: Path, tmp_path: Path):
    os.mkfifo(folder / "fifo.png")
    (folder / "nothing.png").symlink_to("none")
    (folder / "circle.png").symlink_to("circle.png")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "folder.png").mkdir()  # folders inside are not looked into
    with socket.socket(socket.AF_UNIX) as listener:
        before = os.getcwd()
        os.chdir(folder)  # names of sockets are short
        listener.bind("socket.png")
        os.chdir(before)
        report, _ = run(model, folder, tmp_path / "out")
    said = {Path(entry["input"]).name: entry["error"] for entry in report}
    assert said == {
        "a.png": None,
        "circle.png": f"{folder / 'circle.png'} is a link that leads back to itself; expected an image file",
        "device.png": f"{folder / 'device.png'} is a device; expected an image file",
        "fifo.png": f"{folder / 'fifo.png'} is a named pipe; expected an image file",
        "nothing.png": f"{folder / 'nothing.png'} is a link to what does not exist; expected an image file",
        "socket.png": f"{folder / 'socket.png'} is a socket; expected an image file",
        "z.png": None,
    }
    assert results_in(tmp_path / "out") == ["a.png", "z.png"]


@pytest.mark.parametrize("kind", ["is a named pipe", "is a link that leads back to itself", "does not exist"])
def test_an_input_that_is_no_file_is_refused_before_anything_runs(model: Path, tmp_path: Path, kind: str):
    if kind == "is a named pipe":
        os.mkfifo(tmp_path / "photo.png")
    elif "link" in kind:
        (tmp_path / "photo.png").symlink_to("photo.png")
    result = dni("run", model, tmp_path / "photo.png", "--alpha", "0.5", "-o", tmp_path / "out")
    result.assert_error(f"photo.png {kind}; expected an image file or a folder")
    assert not (tmp_path / "out").exists()


def test_decoders_fail_in_many_ways_and_the_folder_goes_on(model: Path, folder: Path, tmp_path: Path):
    Image.fromarray(picture(8, 8, 3)).save(folder / "d.dds")
    (folder / "d.dds").rename(folder / "dds.png")
    (folder / "empty.jpg").touch()
    (folder / "half.png").write_bytes(png(picture(8, 8, 3, dtype=np.uint16), bits=16, height=800))
    (folder / "palette.png").write_bytes(png(np.zeros((8, 8, 1), np.uint8), color=3))  # it has none
    report, err = run(model, folder, tmp_path / "out")
    failed = {Path(entry["input"]).name for entry in report if entry["error"]}
    assert failed >= {"dds.png", "empty.jpg", "half.png"}
    assert {"a.png", "z.png"} <= set(names(tmp_path / "out"))
    assert sum(line.startswith("failed: ") for line in err.splitlines()) == len(failed)


@pytest.mark.parametrize(
    "error", [NotImplementedError("DXT9"), IndexError(), MemoryError(), RecursionError("deep"), KeyError(7)]
)
def test_whatever_a_decoder_or_the_network_raises_is_one_file_s_error(
    model: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    save_image(folder / "m.png", picture(12, 16, 3, seed=5))

    def enhance(image: np.ndarray, *_: object, **__: object) -> np.ndarray:
        if np.array_equal(image, picture(12, 16, 3, seed=5)):
            raise error
        return image

    with load(model, "cpu") as loaded:
        monkeypatch.setattr(loaded, "enhance", enhance)
        results = enhance_files(loaded, [folder], tmp_path / "out", [0.5])
    assert [result.error is None for result in results] == [True, False, True]
    assert results[1].error is not None
    assert type(error).__name__ in results[1].error
    assert results_in(tmp_path / "out") == ["a.png", "z.png"]


# --- names ---


@pytest.mark.parametrize("length", [242, 250, 255])
def test_the_longest_names(model: Path, tmp_path: Path, length: int):
    name = "n" * (length - 4) + ".png"
    source = tmp_path / "photos" / name
    source.parent.mkdir()
    Image.fromarray(picture(12, 16, 3)).save(source)
    dni("run", model, source.parent, "--alpha", "0.5", "-o", tmp_path / "out").assert_ok()
    assert results_in(tmp_path / "out") == [name]
    write_image(tmp_path / "out" / name, picture(3, 4, 3))
    np.testing.assert_array_equal(read_image(tmp_path / "out" / name), picture(3, 4, 3))


def test_a_label_that_makes_a_name_too_long_is_refused_before_anything_runs(model: Path, folder: Path, tmp_path: Path):
    (folder / "a.png").rename(folder / LONG)
    result = dni("run", model, folder, "--alpha", "0:1:1", "-o", tmp_path / "out")
    result.assert_error("would have a name of 265 bytes; expected at most 255: give the input a shorter name")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("where", ["input", "output", "sheet", "table"])
def test_a_name_that_no_file_can_have(model: Path, folder: Path, tmp_path: Path, where: str):
    none = tmp_path / ("x" * 300 + ".png")
    arguments = {"input": folder / "a.png", "output": tmp_path / "out.png", "sheet": tmp_path / "sheet.png"} | {
        where: none
    }
    options = ["--sheet", arguments["sheet"]] if where != "table" else ["--alpha-from", none]
    alpha = [] if where == "table" else ["--alpha", "0.5"]
    result = dni("run", model, arguments["input"], *alpha, "-o", arguments["output"], *options)
    assert (result.code, result.out) == (1, "")
    assert "Traceback" not in result.err
    assert names(tmp_path) == ["model.onnx", "photos"]


@pytest.mark.parametrize(
    "name", ["new\nline.png", "\x1b[31mred.png", b"\xff\xfe.png", "\u202egnp.png", "tab\t.png", "日本語.png"]
)
def test_any_name_in_report_sheet_and_lines(model: Path, tmp_path: Path, name: str | bytes):
    text = os.fsdecode(name)
    (tmp_path / "photos").mkdir()
    source = tmp_path / "photos" / text
    Image.fromarray(picture(12, 16, 3)).save(source)
    (tmp_path / "photos" / "z.png").write_text("no image")
    report, err = run(model, tmp_path / "photos", tmp_path / "out", "--sheet", tmp_path / "sheet.png")
    done = next(entry for entry in report if entry["error"] is None)
    assert done["input"] == str(source)  # exactly, whatever is in it
    np.testing.assert_array_equal(read_image(tmp_path / "out" / text).shape, (12, 16, 3))
    assert read_image(tmp_path / "sheet.png").ndim == 3
    assert "\x1b" not in err
    printed = dni("run", model, source, "--alpha", "0.5", "-o", tmp_path / "out2").assert_ok().out
    assert len(printed.splitlines()) == 1


# --- what can be known before ---


@pytest.mark.parametrize(
    ("size", "scale", "suffix"), [((40, 4100), 4, ".webp"), ((4100, 8), 4, ".webp"), ((8, 16400), 4, ".jpg")]
)
def test_a_result_that_is_too_large_for_its_format_is_refused_before_the_work(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], scale: int, suffix: str
):
    path = save(conv_stack(scale=scale), tmp_path / "model.onnx")
    source = save_image(tmp_path / f"large{suffix}", np.zeros((*size, 3), np.uint8))
    with load(path, "cpu") as loaded:
        monkeypatch.setattr(loaded, "enhance", lambda *_, **__: pytest.fail("it was worked on"))
        (result,) = enhance_files(loaded, [source], tmp_path / "out", [0.5])
    assert result.error is not None
    assert f"{size[1] * scale}x{size[0] * scale} pixels are too many for" in result.error
    assert names(tmp_path / "out") == []


def test_opacity_that_cannot_be_written_is_refused_before_the_work(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source = save_image(tmp_path / "a.png", picture(12, 16, 4))
    with load(model, "cpu") as loaded:
        monkeypatch.setattr(loaded, "enhance", lambda *_, **__: pytest.fail("it was worked on"))
        (result,) = enhance_files(loaded, [source], tmp_path / "out.jpg", [0.5])
    assert result.error is not None
    assert "JPEG holds no opacity" in result.error


def test_a_sheet_never_takes_the_place_of_a_result(model: Path, folder: Path, tmp_path: Path):
    options = ("--alpha", "0.5", "-o", tmp_path / "out", "--sheet", tmp_path / "out" / "a.png")
    result = dni("run", model, folder, *options)
    assert (result.code, result.out) == (1, "")
    assert "a.png is an input or the output and would be overwritten" in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_in_the_place_of_a_result(model: Path, folder: Path, tmp_path: Path, force: bool):
    (tmp_path / "out" / "z.png").mkdir(parents=True)
    result = dni("run", model, folder, "--alpha", "0.5", "-o", tmp_path / "out", *["--force"] * force)
    assert (result.code, result.out) == (1, "")
    assert "z.png is a folder; a result needs its name" in result.err
    assert results_in(tmp_path / "out") == ["z.png"]


def test_a_link_to_nothing_is_there_and_kept(model: Path, folder: Path, tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "z.png").symlink_to(tmp_path / "elsewhere.png")
    result = dni("run", model, folder, "--alpha", "0.5", "-o", tmp_path / "out")
    assert (result.code, result.out) == (1, "")
    assert "z.png exists already" in result.err
    assert not (tmp_path / "elsewhere.png").exists()


def test_a_sheet_of_more_images_than_fit_is_refused_before_anything_runs(model: Path, tmp_path: Path):
    for index in range(101):
        save_image(tmp_path / "photos" / f"{index}.png", picture(2, 2, 3))
    options = ("--alpha", "0.5", "-o", tmp_path / "out", "--sheet", tmp_path / "sheet.png")
    result = dni("run", model, tmp_path / "photos", *options)
    assert (result.code, result.out) == (1, "")
    assert "a sheet would show 202 images; expected at most 200" in result.err
    assert names(tmp_path) == ["model.onnx", "photos"]
