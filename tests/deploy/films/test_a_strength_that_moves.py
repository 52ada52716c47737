"""Alpha over time, read off the result: a network that multiplies with alpha tells it by how bright a frame is."""

from pathlib import Path

import numpy as np
import pytest
from commands import Result, dni
from ffmpeg import frames, pictures
from films import film
from onnx_models import save
from plain_to_see import darkens

FRAMES = 24  # at 25 a second


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(darkens(), tmp_path_factory.mktemp("model") / "darkens.onnx")


@pytest.mark.parametrize(
    ("table", "options", "expected"),
    [
        ("time,alpha\n0,1\n", (), lambda i: 1.0),
        ("time,alpha\n0,0\n0.92,1\n", (), lambda i: i / 23),
        ("frame;alpha\n0;0,25\n12;0,75\n", (), lambda i: 0.25 + 0.5 * min(i / 12, 1)),
        ("frame,alpha\n0,0.25\n12,0.75\n", ("--between", "hold"), lambda i: 0.25 if i < 12 else 0.75),
        ("time,alpha\n00:00:00.4,1\n00:00:00.8,0.5\n", (), lambda i: 1 - 0.5 * np.clip((i - 10) / 10, 0, 1)),
        ("time,alpha\n00:00:00:00,1\n00:00:00:20,0.5\n", (), lambda i: 1 - 0.5 * min(i / 20, 1)),
    ],
    ids=["one", "seconds", "frames", "held", "clock", "timecode"],
)
def test_every_frame_has_the_alpha_of_its_moment(
    table: str, options: tuple[str, ...], expected, model: Path, tmp_path: Path
):
    keys = tmp_path / "keys.csv"
    keys.write_text(table, encoding="utf-8")
    result = tmp_path / "out.mkv"
    run(model, "h264_rgb", result, "--alpha-from", keys, *options).assert_ok()
    assert alphas("h264_rgb", result) == pytest.approx([expected(i) for i in range(FRAMES)], abs=0.004)


def test_the_moment_is_the_films_where_its_frames_come_unevenly(model: Path, tmp_path: Path):
    """And where only a part of it is made: 0 is the first frame of the source."""
    keys = tmp_path / "keys.csv"
    keys.write_text("time,alpha\n0,0.2\n1.15,1\n", encoding="utf-8")
    result = tmp_path / "out.mkv"
    run(model, "vfr", result, "--alpha-from", keys, "--start", "0.5").assert_ok()
    seconds = [float(f.second) for f in frames(film("vfr")) if f.second >= 0.5]
    whole = pictures(film("vfr"))[-len(seconds) :]
    found = pictures(result).mean(axis=(1, 2, 3)) / whole.mean(axis=(1, 2, 3))
    assert found == pytest.approx([0.2 + 0.8 * s / 1.15 for s in seconds], abs=0.02)


def test_equal_frames_are_computed_again_where_alpha_moves(model: Path, tmp_path: Path):
    keys = tmp_path / "keys.csv"
    keys.write_text("frame,alpha\n0,0\n24,1\n", encoding="utf-8")
    result = tmp_path / "out.mkv"
    told = run(model, "equal", result, "--alpha-from", keys, "--json").assert_ok().json
    assert told["equal"] == 0
    brightness = pictures(result).mean(axis=(1, 2, 3))
    assert (np.diff(brightness[:5]) > 1).all()


def test_equal_frames_are_computed_once_where_it_does_not(model: Path, tmp_path: Path):
    told = run(model, "equal", tmp_path / "out.mkv", "--alpha", "0.5", "--json").assert_ok().json
    assert (told["frames"], told["equal"]) == (25, 20)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("time,alpha\n0,2\n", "2"),
        ("time,alpha\n0.5,1\n0.2,0\n", "0.2"),
        ("time,alpha\n0.5,1\n0.5,0\n", "0.5"),
        ("time,beta\n0,1\n", "alpha"),
        ("alpha\n1\n", "time"),
        ("time,alpha\nsoon,1\n", "soon"),
        ("time,alpha\n", "keys.csv"),
        ("time,alpha\n77,1\n", "77"),
    ],
    ids=["alpha", "back", "twice", "column", "when", "word", "none", "beyond"],
)
def test_a_table_that_cannot_be_followed_is_refused_before_the_work(
    table: str, message: str, model: Path, tmp_path: Path
):
    keys = tmp_path / "keys.csv"
    keys.write_text(table, encoding="utf-8")
    run(model, "h264", tmp_path / "out.mp4", "--alpha-from", keys).assert_error(message)
    assert [path.name for path in tmp_path.iterdir()] == ["keys.csv"]


def run(model: Path, kind: str, output: Path, *options: object) -> Result:
    lossless = () if output.suffix == ".mp4" else ("--lossless",)
    return dni("film", model, film(kind), "-o", output, "--threads", "1", *lossless, *options)


def alphas(kind: str, result: Path) -> list[float]:
    before, after = (pictures(path).mean(axis=(1, 2, 3)) for path in (film(kind), result))
    return list(after / before)
