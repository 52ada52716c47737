"""What `dni run` refuses, and what is left as it was then."""

import re
from pathlib import Path

import numpy as np
import pytest
from commands import command, dni, names, results_in
from onnx_models import conv_stack, save
from photographs import noisy_crop, save_image

from dni_deploy.image_files.read_write import read_image


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(conv_stack(), tmp_path / "model.onnx")


def assert_refused(message: str, *arguments: object) -> None:
    """Exit code 1 with one error; nothing is listed as written. What it runs on may be told before."""
    result = dni("run", *arguments)
    assert (result.code, result.out) == (1, "")
    assert next(line for line in result.err.splitlines() if not line.startswith("running on")).startswith("Error: ")
    assert message in result.err


def test_a_provider_that_is_not_there_is_named_with_what_is_missing(model: Path, photo: Path, tmp_path: Path):
    arguments = ("run", model, photo, "--alpha", "0.5", "-o", "out.png", "--provider", "cuda")
    result = command("dni", *arguments, cwd=tmp_path, CUDA_VISIBLE_DEVICES="-1")
    result.assert_error("Error: cuda is not available: ")
    assert re.search(r"no NVIDIA driver \(lib|driver offers no GPU \(CUDA status|has no cuda build; pip", result.err)
    assert names(tmp_path) == ["model.onnx", "photo.png"]


def test_a_broken_image_does_not_stop_the_others(model: Path, tmp_path: Path):
    folder, output = tmp_path / "photos", tmp_path / "out"
    save_image(folder / "a.png", noisy_crop())
    save_image(folder / "c.png", noisy_crop())
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes()[:2000])
    sheet = tmp_path / "sheet.png"
    result = dni("run", model, folder, "--alpha", "0.5", "-o", output, "--sheet", sheet)
    assert result.code == 1
    assert [Path(line.split()[0]).name for line in result.out.splitlines()] == ["a.png", "c.png"]
    failures = [line for line in result.err.splitlines() if line.startswith("failed: ")]
    assert len(failures) == 1
    assert failures[0].count("b.png") == 1
    assert "damaged" in failures[0]
    assert results_in(output) == ["a.png", "c.png"]
    assert read_image(sheet).ndim == 3
    report = dni("run", model, folder, "--alpha", "0.5", "-o", output, "--force", "--json")
    assert report.code == 1
    assert [bool(entry["error"]) for entry in report.json_lines] == [False, True, False]


def test_nothing_but_failures_makes_no_sheet(model: Path, tmp_path: Path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    sheet = tmp_path / "sheet.png"
    result = dni("run", model, tmp_path / "bad.png", "--alpha", "0.5", "-o", tmp_path / "out.png", "--sheet", sheet)
    assert (result.code, result.out) == (1, "")
    assert names(tmp_path) == ["bad.png", "model.onnx"]


def test_existing_results_are_kept_without_force(model: Path, photo: Path, tmp_path: Path):
    output = tmp_path / "out.png"
    output.write_text("precious")
    arguments = (model, photo, "--alpha", "0.5", "-o", output)
    assert_refused("out.png exists already; choose another output, or replace with --force", *arguments)
    assert output.read_text() == "precious"
    dni("run", *arguments, "--force").assert_ok()
    assert read_image(output).shape == noisy_crop().shape


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "out.png", "--alpha", "0.5"], "out.png exists already"),
        (["-o", "out", "--alpha", "0:1:1"], "photo_alpha0.00.png and 1 more results exist already"),
        (["-o", "new.png", "--alpha", "0:1:1"], "but there are 2 results; give a folder, or --compare to see them"),
        (["-o", "new", "--alpha", "0.5", "--alpha", "0.50"], "alpha 0.5 was given more than once"),
        (["-o", "new.png", "--sheet", "out.png"], "out.png exists already and is kept"),
        (["-o", "new.png", "--sheet", "sheet.txt"], "sheet.txt has an unknown suffix"),
        (["-o", "photo.png", "--force"], "photo.png is an input and would be overwritten"),
        (["-o", "model.onnx/new.png"], "the folder model.onnx cannot be made (model.onnx is no folder)"),
        (["-o", "new.png", "--alpha", "1.5"], "alpha 1.5 is out of range"),
        (["-o", "new", "--alpha-from", "table.csv"], "a table of alphas is for the images of one folder"),
    ],
)
def test_no_model_is_loaded_for_what_is_refused_without_it(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
):
    """A model that says what it is, and that no run could load."""
    monkeypatch.chdir(tmp_path)
    unknown = conv_stack()
    unknown.graph.node[-1].op_type = "NoSuchOperator"
    save(unknown, tmp_path / "model.onnx")
    for file in ("out.png", "out/photo_alpha0.00.png", "out/photo_alpha1.00.png", "table.csv"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("precious")
    result = dni("run", "model.onnx", photo.name, *options)
    result.assert_error(message)
    assert len(result.err.splitlines()) == 1
    dni("run", "model.onnx", photo.name, "-o", "new.png", "--alpha", "0.5").assert_error("NoSuchOperator")


def test_an_existing_sheet_is_kept_and_nothing_runs(model: Path, photo: Path, tmp_path: Path):
    sheet = tmp_path / "sheet.png"
    sheet.write_text("precious")
    arguments = (model, photo, "--alpha", "0.5", "-o", tmp_path / "out.png", "--sheet", sheet)
    assert_refused("sheet.png exists already and is kept", *arguments)
    assert sheet.read_text() == "precious"
    assert not (tmp_path / "out.png").exists()
    dni("run", *arguments, "--force").assert_ok()
    assert read_image(sheet).ndim == 3


@pytest.mark.parametrize("where", ["photo.png", "photos/a.png", "out.png"])
def test_a_sheet_never_replaces_an_input_or_the_output(model: Path, photo: Path, tmp_path: Path, where: str):
    save_image(tmp_path / "photos" / "a.png", noisy_crop())
    inputs = [photo] if where != "photos/a.png" else [tmp_path / "photos"]
    options = ("--alpha", "0.5", "-o", tmp_path / "out.png", "--sheet", tmp_path / where, "--force")
    assert_refused("would be overwritten; choose another --sheet", model, *inputs, *options)
    np.testing.assert_array_equal(read_image(photo), noisy_crop())
    assert not (tmp_path / "out.png").exists()


def test_a_sheet_of_unknown_kind_is_refused_before_anything_runs(model: Path, photo: Path, tmp_path: Path):
    options = ("--alpha", "0.5", "-o", tmp_path / "out.png", "--sheet", tmp_path / "sheet.txt")
    assert_refused("sheet.txt has an unknown suffix; expected .avif", model, photo, *options)
    assert not (tmp_path / "out.png").exists()


def test_a_sheet_in_no_folder_is_refused_before_anything_runs(model: Path, photo: Path, tmp_path: Path):
    (tmp_path / "file").touch()
    options = ("--alpha", "0.5", "-o", tmp_path / "out.png", "--sheet", tmp_path / "file" / "sheet.png")
    assert_refused(f"cannot be made ({tmp_path / 'file'} is no folder)", model, photo, *options)
    assert not (tmp_path / "out.png").exists()


def test_a_sheet_that_cannot_be_written_does_not_hide_the_results(model: Path, tmp_path: Path):
    for index in range(7):
        save_image(tmp_path / "tall" / f"{index}.png", noisy_crop(2400, 4))
    options = ("--alpha", "0.5", "-o", tmp_path / "out", "--sheet", tmp_path / "sheet.webp")
    result = dni("run", model, tmp_path / "tall", *options)
    assert result.code == 1
    assert results_in(tmp_path / "out") == [f"{index}.png" for index in range(7)]
    assert all(f"{index}.png" in result.out for index in range(7))
    assert re.search(r"Error: .*sheet\.webp cannot be written: \d+x\d+ pixels are too many for WEBP", result.err)
    assert not (tmp_path / "sheet.webp").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "out.png"], "model.onnx needs alpha, it has no default"),
        (["-o", "out.png", "--alpha", "1.5"], "alpha 1.5 is out of range"),
        (["-o", "out.png", "--alpha", "0.2,0.3"], "2 value(s); expected a finite number in 0..1"),
        (["-o", "out.png", "--alpha", "0:1:0.5"], "out.png names one image, but there are 3 results"),
        (["-o", "out", "--alpha", "0.5", "--alpha", "0.50"], "alpha 0.5 was given more than once"),
        (["-o", "out.gif", "--alpha", "0.5"], "out.gif is of a kind that is not written; expected .avif"),
        (["-o", "photo.png", "--alpha", "0.5", "--force"], "photo.png is an input and would be overwritten"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_runs(
    model: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
):
    monkeypatch.chdir(tmp_path)
    assert_refused(message, model, photo, *options)
    assert names(tmp_path) == ["model.onnx", "photo.png"]


def test_a_folder_without_images(model: Path, tmp_path: Path):
    (tmp_path / "photos").mkdir()
    assert_refused("photos holds no image", model, tmp_path / "photos", "--alpha", "0.5", "-o", tmp_path / "out")


@pytest.mark.parametrize(("content", "message"), [(b"", "no.onnx is empty"), (b"no", "no.onnx is not an ONNX file")])
def test_a_file_that_is_no_model(photo: Path, tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "no.onnx"
    path.write_bytes(content)
    assert_refused(message, path, photo, "--alpha", "0.5", "-o", tmp_path / "out.png")
