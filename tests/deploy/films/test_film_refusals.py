"""What cannot be made is refused in one sentence before the work, and nothing is left behind."""

import shutil
from pathlib import Path

import pytest
from commands import dni, names
from film_kinds import INTERLACED
from films import film
from onnx_models import save
from plain_to_see import darkens, returns_input


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(returns_input(), tmp_path / "same.onnx")
    save(darkens(), tmp_path / "darkens.onnx")
    return tmp_path


@pytest.mark.parametrize("kind", INTERLACED)
def test_an_interlaced_film_is_refused_with_the_command_that_helps(kind: str, folder: Path):
    refused(folder, "same", kind, "out.mkv", "interlaced", "ffmpeg", "bwdif")


@pytest.mark.parametrize(
    ("kind", "output", "words"),
    [
        ("text", "out.mp4", ("text.mp4 is no film", "expected")),
        ("empty", "out.mp4", ("empty",)),
        ("only_sound", "out.mp4", ("no moving pictures",)),
        ("no_index", "out.mp4", ("no_index.mp4", "cut off", "expected")),
    ],
)
def test_what_is_no_film_is_refused(kind: str, output: str, words: tuple[str, ...], folder: Path):
    refused(folder, "same", kind, output, *words)


@pytest.mark.parametrize(
    ("kind", "output", "words"),
    [
        ("ass", "out.mp4", ("attachment", ".mkv", "--drop")),
        ("everything", "out.webm", ("aac", "attachment", ".mkv", "--drop")),
        ("aac", "out.webm", ("aac", ".mkv", "--drop audio")),
        ("h264", "out.avi", (".mkv", ".mp4", ".mov", ".webm")),
        ("h264", "out.txt", (".mkv", ".mp4", ".mov", ".webm")),
        ("png_rgba", "out.mp4", ("opacity",)),
    ],
)
def test_what_a_container_cannot_hold_is_told(kind: str, output: str, words: tuple[str, ...], folder: Path):
    refused(folder, "same", kind, output, *words)


@pytest.mark.parametrize(
    ("options", "output", "words"),
    [
        (("--codec", "vp9"), "out.mov", ("vp9", ".mov")),
        (("--codec", "h264"), "out.webm", ("h264", ".webm")),
        (("--codec", "ffv1"), "out.mp4", ("ffv1", ".mkv")),
        (("--lossless", "--codec", "prores"), "out.mov", ("prores", "lossless")),
        (("--lossless", "--crf", "20"), "out.mp4", ("--crf", "--lossless")),
        (("--start", "5"), "out.mp4", ("5", "0.96")),
        (("--start", "0.6", "--end", "0.2"), "out.mp4", ("0.6", "0.2")),
        (("--alpha", "0.5"), "out.mp4", ("alpha",)),
        (("--alpha", "auto"), "out.mp4", ("alpha",)),
        (("--pixel-format", "nonsense"), "out.mp4", ("nonsense",)),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    options: tuple[str, ...], output: str, words: tuple[str, ...], folder: Path
):
    refused(folder, "same", "h264", output, *words, options=options)


def test_an_alpha_that_the_model_needs_or_cannot_take_is_asked_for(folder: Path):
    refused(folder, "darkens", "h264", "out.mp4", "alpha")
    refused(folder, "darkens", "h264", "out.mp4", "1.5", options=("--alpha", "1.5"))
    refused(folder, "darkens", "h264", "out.mp4", "calibrate", options=("--alpha", "auto"))


def test_what_is_for_the_other_command_is_sent_there(folder: Path):
    dni("film", folder / "same.onnx", folder, "-o", folder / "out.mp4").assert_error(
        "is a folder; expected a film (a folder of frames is for dni run)"
    )
    failed = dni("run", folder / "same.onnx", film("h264"), "-o", folder / "out.png").err
    assert failed.splitlines()[-1] == f"failed: {film('h264')} is a film, which is for dni film; expected an image file"
    dni("run", folder / "same.onnx", film("h264"), "-o", folder / "out.mp4").assert_error(
        "out.mp4 has the suffix '.mp4', which no image has (films are for dni film); expected .avif"
    )


def test_what_is_there_is_replaced_only_when_asked(folder: Path):
    (folder / "out.mp4").write_text("dear")
    refused(folder, "same", "h264", "out.mp4", "--force")
    assert (folder / "out.mp4").read_text() == "dear"
    dni("film", folder / "same.onnx", film("h264"), "-o", folder / "out.mp4", "--force").assert_ok()
    assert (folder / "out.mp4").stat().st_size > 2000


def test_the_source_itself_is_never_replaced(folder: Path):
    shutil.copy(film("h264"), folder / "own.mp4")
    before = (folder / "own.mp4").read_bytes()
    answer = dni("film", folder / "same.onnx", folder / "own.mp4", "-o", folder / "own.mp4", "--force")
    answer.assert_error("own.mp4")
    assert (folder / "own.mp4").read_bytes() == before


def refused(folder: Path, model: str, kind: str, output: str, *words: str, options: tuple[str, ...] = ()) -> None:
    before = names(folder)
    answer = dni("film", folder / f"{model}.onnx", film(kind), "-o", folder / output, *options)
    assert answer.code in (1, 2), (answer.code, answer.err)
    for word in words:
        assert word in answer.err
    assert "Traceback" not in answer.err
    assert names(folder) == before
