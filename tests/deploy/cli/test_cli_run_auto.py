"""`dni run` by noise or quality: --noise, --jpeg, and --alpha auto for images, folders, films and tables."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import dni, names, results_in
from numpy.typing import NDArray
from onnx_models import baked, conv_stack, save
from photographs import save_image
from PIL import Image
from sharp_or_blurred import JPEG, NOISE, saved

from dni_deploy import enhance_files
from dni_deploy.frames.finished import FOLDER
from dni_deploy.frames.on_ray import _result
from dni_deploy.image_files.read_write import read_image
from dni_deploy.photographs.planned import Planned
from dni_runtime import load

SIGMAS = (10, 22, 45)


def noisy(sigma: float, shape: tuple[int, ...] = (120, 160, 3), seed: int = 0) -> NDArray[np.uint8]:
    values = 127 + sigma * np.random.default_rng(seed).standard_normal(shape)
    return values.round().clip(0, 255).astype(np.uint8)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return saved(tmp_path / "model.onnx", NOISE)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for sigma in SIGMAS:
        save_image(tmp_path / "photos" / f"{sigma}.png", noisy(sigma))
    return tmp_path / "photos"


def expected(model: Path, image: Path, alpha: float) -> NDArray[Any]:
    with load(model, "cpu") as network:
        return network.enhance(read_image(image), alpha)


def test_a_level_of_noise_is_its_alpha(model: Path, photos: Path, tmp_path: Path):
    result = dni("run", model, photos / "22.png", "--noise", 15, "-o", tmp_path / "out.png").assert_ok()
    assert result.out.split()[:3] == [str(tmp_path / "out.png"), "alpha", "0.8"]
    assert np.array_equal(read_image(tmp_path / "out.png"), expected(model, photos / "22.png", 0.8))


def test_a_quality_is_its_alpha(photos: Path, tmp_path: Path):
    model = saved(tmp_path / "jpeg.onnx", JPEG)
    dni("run", model, photos / "22.png", "--jpeg", 70, "-o", tmp_path / "out.png").assert_ok()
    assert np.array_equal(read_image(tmp_path / "out.png"), expected(model, photos / "22.png", 0.7))


def test_auto_gives_every_image_of_a_folder_its_own_alpha(model: Path, photos: Path, tmp_path: Path):
    result = dni("run", model, photos, "--alpha", "auto", "-o", tmp_path / "out", "--json").assert_ok().json_lines
    assert results_in(tmp_path / "out") == names(photos)
    for sigma, entry in zip(SIGMAS, result, strict=True):
        kind, level = entry["level"]
        assert kind == "noise"
        assert level == pytest.approx(sigma, rel=0.1)
        (alpha,) = entry["alpha"]
        assert alpha == NOISE.nearest(level)
        made = read_image(tmp_path / "out" / f"{sigma}.png")
        assert np.array_equal(made, expected(model, photos / f"{sigma}.png", alpha))


def test_what_was_chosen_is_said(model: Path, photos: Path, tmp_path: Path):
    result = dni("run", model, photos, "--alpha", "auto", "--alpha", "0.5", "-o", tmp_path / "out").assert_ok()
    auto, given, *_ = result.out.splitlines()
    assert auto.split()[1] == "alpha"
    assert " (noise 10" in auto or " (noise 9." in auto
    assert given.split()[1:3] == ["alpha", "0.5"]
    assert results_in(tmp_path / "out")[:2] == ["10_alpha0.50.png", "10_alphaauto.png"]


def test_auto_takes_the_quality_of_a_jpeg_from_its_file(photos: Path, tmp_path: Path):
    model = saved(tmp_path / "jpeg.onnx", JPEG)
    (tmp_path / "in").mkdir()
    for quality in (35, 95):
        Image.fromarray(noisy(5)).save(tmp_path / "in" / f"{quality}.jpg", quality=quality)
    save_image(tmp_path / "in" / "plain.png", noisy(5))
    result = dni("run", model, tmp_path / "in", "--alpha", "auto", "-o", tmp_path / "out", "--json")
    assert result.code == 1
    low, high, none = result.json_lines
    assert (low["alpha"], low["level"]) == ([0.25], ["jpeg", 35])
    assert (high["alpha"], high["level"]) == ([1.0], ["jpeg", 95])  # beyond the levels: the nearest
    assert (none["alpha"], none["level"]) == (None, None)
    assert "plain.png is no JPEG, so there is no quality to choose alpha by; expected one, or give" in none["error"]
    assert results_in(tmp_path / "out") == ["35.jpg", "95.jpg"]


def test_a_frame_that_is_too_small_fails_by_itself(model: Path, photos: Path, tmp_path: Path):
    save_image(photos / "small.png", noisy(10, (40, 200)))
    result = dni("run", model, photos, "--alpha", "auto", "-o", tmp_path / "out")
    assert result.code == 1
    assert "small.png: an image of 40x200 pixels is too small to tell its noise; expected 64x64 or more" in result.err
    assert results_in(tmp_path / "out") == ["10.png", "22.png", "45.png"]


def test_a_table_may_say_auto(model: Path, photos: Path, tmp_path: Path):
    (tmp_path / "alphas.csv").write_text("file,alpha\n10.png,auto\n22.png,0.5\n45.png,Auto\n")
    run = ("run", model, photos, "--alpha-from", tmp_path / "alphas.csv", "-o", tmp_path / "out", "--json")
    first, second, third = dni(*run).assert_ok().json_lines
    assert second["alpha"] == [0.5]
    assert second["level"] is None
    for sigma, entry in ((10, first), (45, third)):
        assert entry["level"][1] == pytest.approx(sigma, rel=0.1)
        made = read_image(tmp_path / "out" / f"{sigma}.png")
        assert np.array_equal(made, expected(model, photos / f"{sigma}.png", entry["alpha"][0]))
    # Started again nothing is made; what an earlier run chose is not told again.
    assert [(entry["kept"], entry["alpha"]) for entry in dni(*run).assert_ok().json_lines] == [
        (True, None),
        (True, [0.5]),
        (True, None),
    ]
    # A model that is calibrated otherwise chooses otherwise: all is made again, once it may replace what is there.
    saved(model, NOISE.__class__("noise", (5.0, 60.0), (1.0, 0.2)))
    dni(*run).assert_error("exist already, and not just as this run would make it")
    again = dni(*run, "--force").assert_ok().json_lines
    assert [entry["kept"] for entry in again] == [False] * 3
    assert again[2]["alpha"] != third["alpha"]
    assert (tmp_path / "out" / FOLDER).is_dir()


@pytest.mark.parametrize("level", [("noise", 24.75), None])
def test_what_a_worker_chose_comes_back_over_ray(level: tuple[str, float] | None):
    frame = Planned(Path("a.png"), Path("out/a.png"), "auto" if level else (0.3,))
    made = frame.result(1.5, chosen=None if level is None else type_of(frame, level))
    # As it travels: lists for tuples.
    found = json.loads(json.dumps([1.5, None, made.alpha, made.level, False, []]))
    assert _result(frame, frame, found) == made


def type_of(frame: Planned, level: tuple[str, float]) -> Any:
    from dni_deploy.photographs.choose import Chosen

    return Chosen((0.61,), level)


def test_from_python(model: Path, photos: Path, tmp_path: Path):
    with load(model, "cpu") as network:
        results = enhance_files(network, [photos], tmp_path / "out", ["auto"])
        assert [result.alpha for result in results] == [
            network.choose_alpha(read_image(photos / f"{sigma}.png"))[:1] for sigma in SIGMAS
        ]


REFUSED: list[tuple[str, Any, tuple[object, ...], str]] = [
    ("not calibrated", conv_stack, ("--alpha", "auto"), "model.onnx is not calibrated, so nothing tells which alpha"),
    ("not calibrated, noise", conv_stack, ("--noise", 25), "model.onnx is not calibrated"),
    ("baked", lambda: baked(0.3), ("--alpha", "auto"), "is baked for 0.3, so there is no alpha to choose for an image"),
    ("for noise", None, ("--jpeg", 40), "model.onnx is calibrated for noise; expected jpeg. Give alpha as a number"),
    ("beyond", None, ("--noise", 75), "noise is 75; the model is calibrated for 5..60. Calibrate it for more"),
    ("no number", None, ("--noise", "nan"), "noise is nan; the model is calibrated for 5..60"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "options", "sentence"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_chosen_is_refused_before_the_work(
    model: Path, photos: Path, tmp_path: Path, make: Any, options: tuple[object, ...], sentence: str
):
    if make is not None:
        save(make(), model)
    result = dni("run", model, photos, *options, "-o", tmp_path / "out")
    assert (result.code, result.out) == (1, "")
    assert sentence in result.err
    assert not (tmp_path / "out").exists()


def test_a_table_that_says_auto_for_a_model_that_cannot_names_the_line(photos: Path, tmp_path: Path):
    model = save(conv_stack(), tmp_path / "plain.onnx")
    (tmp_path / "alphas.csv").write_text("file,alpha\n10.png,0.5\n22.png,auto\n45.png,0\n")
    result = dni("run", model, photos, "--alpha-from", tmp_path / "alphas.csv", "-o", tmp_path / "out")
    assert result.code == 1
    assert "alphas.csv, line 3: plain.onnx is not calibrated" in result.err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--noise", 20, "--jpeg", 40), "give either --noise (the alpha for it) or --jpeg (the alpha for it)"),
        (("--noise", 20, "--alpha", "auto"), "give either --alpha (for all images) or --noise (the alpha for it)"),
        (("--noise", 20, "--alpha-from", "t.csv"), "give either --alpha-from (one for each) or --noise (the alpha for"),
        (("--alpha", "automatic"), "'automatic' is no alpha"),
    ],
)  # fmt: skip
def test_alphas_from_two_places_are_wrong_usage(
    model: Path, photos: Path, tmp_path: Path, options: tuple[object, ...], sentence: str
):
    dni("run", model, photos, *options, "-o", tmp_path / "out").assert_usage(sentence)
