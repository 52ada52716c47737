"""`-`: images through pipes, as other tools take and give them."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import dni, names
from onnx_models import conv_stack, picture, save
from photographs import save_image
from PIL import Image

from dni_deploy.image_files.read_write import read_image


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(conv_stack(), tmp_path / "model.onnx")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save_image(tmp_path / "photo.webp", picture(12, 16, 3))


def piped(arguments: list[object], given: bytes = b"", **settings: object) -> subprocess.CompletedProcess[bytes]:
    program = [str(Path(sys.executable).with_name("dni")), "run", *map(str, arguments)]
    return subprocess.run(program, input=given, capture_output=True, timeout=120, check=False, **settings)  # type: ignore[call-overload,no-any-return]


def test_an_image_through_pipes_is_the_one_that_files_give(model: Path, photo: Path, tmp_path: Path):
    png = save_image(tmp_path / "photo.png", read_image(photo))
    dni("run", model, png, "--alpha", "0.5", "-o", tmp_path / "out.png").assert_ok()
    made = piped([model, "-", "--alpha", "0.5", "-o", "-"], png.read_bytes())
    assert made.stdout == (tmp_path / "out.png").read_bytes()
    said = made.stderr.decode().splitlines()
    assert said[0].startswith("running on ")
    assert said[1].startswith("-  alpha 0.5  ")
    assert len(said) == 2
    assert names(tmp_path) == ["model.onnx", "out.png", "photo.png", "photo.webp"]


@pytest.mark.parametrize(
    ("source", "options", "kind"),
    [("photo.webp", [], "WEBP"), ("photo.webp", ["--format", "jpg"], "JPEG"), ("-", ["--format", "tiff"], "TIFF")],
)
def test_what_goes_out_is_of_the_format_asked_for_or_the_input_s(
    model: Path, photo: Path, tmp_path: Path, source: str, options: list[str], kind: str
):
    made = piped([model, source, "--alpha", "0.5", "-o", "-", *options], photo.read_bytes(), cwd=tmp_path)
    with Image.open(io.BytesIO(made.stdout)) as image:
        assert (image.format, image.size) == (kind, (16, 12))


def test_what_comes_in_has_a_name_in_a_folder_and_a_place_on_the_sheet(model: Path, photo: Path, tmp_path: Path):
    options = ["-o", tmp_path / "out", "--json", "--sheet", tmp_path / "sheet.png"]
    made = piped([model, "-", photo, "--alpha", "0.5", *options], photo.read_bytes())
    assert made.returncode == 0, made.stderr
    assert b'"input": "-"' in made.stdout
    assert [name for name in names(tmp_path / "out") if name != ".dni-run"] == ["photo.webp", "stdin.png"]
    assert read_image(tmp_path / "sheet.png").ndim == 3


def test_a_file_of_that_name_is_no_stream(model: Path, photo: Path, tmp_path: Path):
    photo.rename(tmp_path / "-")
    (tmp_path / "out").mkdir()
    made = piped([model, "./-", "--alpha", "0.5", "-o", "out"], cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "out" / "-.png").exists()


@pytest.mark.parametrize(
    ("arguments", "given", "message"),
    [
        (["-", "-o", "-"], b"no image", "standard input is not an image of a kind that is read"),
        (["-", "-o", "-"], b"", "standard input is not an image"),
        (["photo.webp", "-o", "-", "--alpha", "0.6"], b"", "standard output names one image, but there are 2 results"),
        (["-", "-o", "-", "--ray", "local"], b"", "are of this machine; name files, or leave --ray out"),
        (["photo.webp", "-o", "-", "--json"], b"", "either the image of -o - or what --json prints, not both"),
        (["rgba.png", "-o", "-", "--format", "jpg"], b"", "standard output cannot be written: JPEG holds no opacity"),
        (["-", "-o", "./"], b"", "standard input is"),
        (["", "-o", "out"], b"", "a path is empty; expected a file or a folder"),
    ],
)
def test_what_is_refused_names_the_streams(
    model: Path, photo: Path, tmp_path: Path, arguments: list[str], given: bytes, message: str
):
    save_image(tmp_path / "rgba.png", picture(12, 16, 4))
    before = names(tmp_path)
    made = piped([model, *arguments, "--alpha", "0.5"], given, cwd=tmp_path)
    assert made.returncode in (1, 2)
    assert made.stdout == b""
    assert message in made.stderr.decode()
    assert "dni-run-" not in made.stderr.decode()
    assert "failed: -" not in made.stderr.decode()
    assert [name for name in names(tmp_path) if name != ".dni-run"] == before


def test_a_reader_that_goes_away_is_told_in_a_line(model: Path, photo: Path, tmp_path: Path):
    save_image(tmp_path / "large.bmp", np.zeros((600, 600, 3), np.uint8))
    read, write = os.pipe()
    os.close(read)
    program = [str(Path(sys.executable).with_name("dni")), "run", str(model), "large.bmp", "--alpha", "0.5", "-o", "-"]
    made = subprocess.run(program, stdout=write, stderr=subprocess.PIPE, timeout=120, check=False, cwd=tmp_path)
    os.close(write)
    assert made.returncode == 1
    assert b"Error: standard output takes no more (Broken pipe)" in made.stderr
    assert b"Traceback" not in made.stderr
