"""`dni film` with a strength that moves, told by what it makes of grey pictures."""

from pathlib import Path

import ffmpeg
import numpy as np
import numpy.typing as npt
import pytest
from commands import dni
from drawn_films import drawn
from onnx_models import save
from plain_to_see import darkens
from sharp_or_blurred import NOISE, saved, sharp_or_blurred

import dni_deploy
from dni_deploy.demo import PHOTOGRAPH
from dni_deploy.image_files.read_write import read_image
from dni_runtime import InputError

RATE, FRAMES = 10, 40


@pytest.fixture(scope="module")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds, all of 200."""
    pictures = [np.full((64, 80, 3), 200, np.uint8)] * FRAMES
    return drawn(tmp_path_factory.mktemp("grey") / "grey.mkv", pictures, rate=RATE)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds, the second half of which has much noise."""
    rng = np.random.default_rng(0)
    clean = np.clip(read_image(PHOTOGRAPH)[:96, :128], 60, 195)
    pictures = [
        np.clip(clean + rng.normal(0, 10 if number < FRAMES // 2 else 40, clean.shape), 0, 255).astype(np.uint8)
        for number in range(FRAMES)
    ]
    return drawn(tmp_path_factory.mktemp("noisy") / "noisy.mkv", pictures, rate=RATE)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its result is its input times alpha."""
    return save(darkens(), tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("calibrated") / "model.onnx", NOISE)


def alphas_of(film: Path) -> npt.NDArray[np.float64]:
    """Those of each frame, seen in what became of 200: to half of a 200th."""
    return ffmpeg.pictures(film).mean(axis=(1, 2, 3)) / 200


def test_keys_are_followed_frame_by_frame(tmp_path: Path, grey: Path, model: Path):
    keys = tmp_path / "keys.csv"
    keys.write_text("time,alpha\n0.5,0.2\n0:00:01.5,0.8\n0:00:03:00,0.4\n")
    out = tmp_path / "out.mkv"
    dni("film", model, grey, "--alpha-from", keys, "--lossless", "-o", out).assert_ok()
    moments = np.arange(FRAMES) / RATE
    np.testing.assert_allclose(alphas_of(out), np.interp(moments, [0.5, 1.5, 3], [0.2, 0.8, 0.4]), atol=0.003)
    held = tmp_path / "held.mkv"
    dni("film", model, grey, "--alpha-from", keys, "--between", "hold", "--lossless", "-o", held).assert_ok()
    np.testing.assert_allclose(alphas_of(held), [0.2] * 15 + [0.8] * 15 + [0.4] * 10, atol=0.003)


def test_times_are_the_film_s_where_only_a_section_is_made(tmp_path: Path, grey: Path, model: Path):
    keys = tmp_path / "keys.csv"
    keys.write_text("frame,alpha\n10,0\n30,1\n")
    out = tmp_path / "out.mkv"
    section = ("--start", "1.5", "--end", "0:02.5")
    dni("film", model, grey, "--alpha-from", keys, *section, "--lossless", "-o", out).assert_ok()
    np.testing.assert_allclose(alphas_of(out), np.arange(5, 15) / 20, atol=0.003)


def test_what_is_between_keys_is_said_of_keys(tmp_path: Path, grey: Path, model: Path):
    asked = ("film", model, grey, "--alpha", "0.5", "-o", tmp_path / "out.mkv")
    dni(*asked, "--between", "hold").assert_usage("--between hold is about the keys of --alpha-from; give them, or")
    dni(*asked, "--save-keys", tmp_path / "keys.csv").assert_usage("--save-keys writes what --alpha auto has found")
    with pytest.raises(InputError, match="between is 'held'; expected linear or hold"):
        dni_deploy.enhance_film(model, grey, tmp_path / "out.mkv", alpha_from=tmp_path / "keys.csv", between="held")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(("table", "message"), [
    ("time,alpha\n0,0.5\n9,1\n", "keys.csv, line 3: 9 is beyond the end of "),
    ("time,alpha\n0,1.5\n", "keys.csv, line 2: alpha 1.5 is out of range"),
    ("time,alpha_1\n0,1\n", "expected time or frame, alpha once each for this model"),
])  # fmt: skip
def test_keys_that_do_not_fit_are_refused_before_the_work(
    tmp_path: Path, grey: Path, model: Path, table: str, message: str
):
    (tmp_path / "keys.csv").write_text(table)
    dni("film", model, grey, "--alpha-from", tmp_path / "keys.csv", "-o", tmp_path / "out.mkv").assert_error(message)
    assert [path.name for path in tmp_path.iterdir()] == ["keys.csv"]


def test_auto_follows_the_noise_and_writes_down_what_it_found(tmp_path: Path, noisy: Path, calibrated: Path):
    keys, out, again = tmp_path / "keys.csv", tmp_path / "out.mkv", tmp_path / "again.mkv"
    made = dni("film", calibrated, noisy, "--alpha", "auto", "--save-keys", keys, "--lossless", "-o", out)
    made.assert_ok()
    assert "alpha 0.2" in made.err
    assert "for the noise in 8 frames (sigma " in made.err
    dni("film", calibrated, noisy, "--alpha-from", keys, "--lossless", "-o", again).assert_ok()
    assert again.read_bytes() == out.read_bytes()
    assert keys.read_text().startswith("time,alpha\n0.0,0.")


def test_the_place_of_keys_is_looked_at_before_the_film_is(tmp_path: Path, noisy: Path, calibrated: Path):
    asked = ("film", calibrated, noisy, "--alpha", "auto", "-o", tmp_path / "out.mkv", "--save-keys")
    dni(*asked, noisy).assert_error("is the film, its result or the model; choose another --save-keys")
    dni(*asked, tmp_path / "out.mkv").assert_error("is the film, its result or the model")
    (tmp_path / "keys.csv").touch()
    dni(*asked, tmp_path / "keys.csv").assert_error("keys.csv exists already")
    assert [path.name for path in tmp_path.iterdir()] == ["keys.csv"]


def test_a_preview_shows_before_and_after(tmp_path: Path, grey: Path, model: Path):
    out = tmp_path / "look.mkv"
    dni("film", model, grey, "--alpha", "0.5", "--preview", "1", "--lossless", "-o", out).assert_ok()
    shown = ffmpeg.pictures(out)
    assert shown.shape == (RATE, 64, 160, 3)
    assert (shown[:, :, :80] == 200).all()
    assert (shown[:, :, 80:] == 100).all()


def test_a_preview_is_where_it_is_wanted_and_as_large_as_the_result(tmp_path: Path, noisy: Path):
    twice = save(sharp_or_blurred(NOISE, scale=2), tmp_path / "twice.onnx")
    out = tmp_path / "look.mkv"
    dni("film", twice, noisy, "--alpha", "1", "--preview", "0.5", "--start", "1", "-o", out).assert_ok()
    shown = ffmpeg.pictures(out).astype(np.int16)
    source = ffmpeg.pictures(noisy).astype(np.int16)
    assert shown.shape == (5, 192, 512, 3)
    before = shown[:, ::2, :256:2]
    for number in range(5):
        apart = np.abs(source - before[number]).mean(axis=(1, 2, 3))
        assert apart.argmin() == 10 + number


def test_a_sheet_of_strengths_needs_no_output(tmp_path: Path, grey: Path, model: Path):
    sheet = tmp_path / "sheet.png"
    made = dni("film", model, grey, "--alpha", "0:1:0.5", "--alpha-sheet", sheet)
    made.assert_ok()
    assert made.out == f"{sheet}\n"
    picture = read_image(sheet)
    for level in (200, 100, 0):
        assert (picture == level).all(axis=2).sum() >= 4 * 80 * 64
    (tmp_path / "usual.png").touch()
    dni("film", model, grey, "--alpha-sheet", tmp_path / "usual.png", "--force").assert_ok()
    for level in (200, 150, 100, 50, 0):
        assert (read_image(tmp_path / "usual.png") == level).all(axis=2).sum() >= 4 * 80 * 64


def test_a_sheet_is_of_strengths_and_no_film(tmp_path: Path, grey: Path, model: Path):
    asked = ("film", model, grey, "--alpha-sheet", tmp_path / "sheet.png")
    for option in ("-o out.mkv", "--preview 1", "--alpha-from keys.csv", "--codec vp9", "--resume", "--ray local"):
        message = f"--alpha-sheet makes a picture and no film; leave {option.split()[0]} out"
        dni(*asked, *option.split()).assert_usage(message)
    dni(*asked, "--start", "9").assert_error("has no frames from 0:00:09 on; give another --start")
    dni("film", model, grey, "--alpha", "2", "--alpha-sheet", tmp_path / "sheet.png").assert_error("is out of range")
    dni("film", model, grey, "--alpha", "0:1:0.5", "-o", tmp_path / "out.mkv").assert_usage(
        "a film has one --alpha, 3 were given; --alpha-from lets it move, --alpha-sheet shows several"
    )
    dni("film", model, grey, "--alpha", "1").assert_usage("-o is missing: a film needs a name")
    assert not [*tmp_path.iterdir()]
