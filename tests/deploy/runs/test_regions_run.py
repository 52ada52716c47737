"""`dni run` on seamless tiles, and with a strength for each region."""

from pathlib import Path

import numpy as np
import pytest
from commands import dni
from onnx_models import baked, conv_stack, picture, save
from photographs import save_image
from with_knobs import with_knob

from dni_deploy.image_files.read_write import read_image
from dni_runtime import load


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(conv_stack(scale=2), tmp_path / "model.onnx")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save_image(tmp_path / "photo.png", picture(40, 60, 3))


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    pixels = np.zeros((40, 60), np.uint8)
    pixels[:, 30:] = 255
    return save_image(tmp_path / "mask.png", pixels)


def test_wrap(model: Path, photo: Path, tmp_path: Path):
    dni("run", model, photo, "--alpha", 0.3, "--wrap", "-o", tmp_path / "out.png").assert_ok()
    with load(model, "cpu") as network:
        expected = network.enhance(read_image(photo), 0.3, wrap=True)
    np.testing.assert_array_equal(read_image(tmp_path / "out.png"), expected)


def test_a_mask_is_a_strength_for_each_region(model: Path, photo: Path, mask: Path, tmp_path: Path):
    dni("run", model, photo, "--alpha-mask", mask, "-o", tmp_path / "out.png").assert_ok()
    result = read_image(tmp_path / "out.png")
    with load(model, "cpu") as network:
        low, high = (network.enhance(read_image(photo), alpha) for alpha in (0, 1))
    np.testing.assert_array_equal(result[:, :58], low[:, :58])
    np.testing.assert_array_equal(result[:, 62:], high[:, 62:])


def test_levels_bound_the_work(model: Path, photo: Path, tmp_path: Path):
    ramp = save_image(tmp_path / "ramp.png", np.linspace(0, 255, 60).astype(np.uint8)[None].repeat(40, 0))
    for levels in (2, 5):
        dni("run", model, photo, "--alpha-mask", ramp, "--levels", levels, "-o", tmp_path / f"{levels}.png").assert_ok()
    with load(model, "cpu") as network:
        strengths = (read_image(ramp) / 255).astype(np.float32)
        for levels in (2, 5):
            expected = network.enhance(read_image(photo), strengths, levels=levels)
            np.testing.assert_array_equal(read_image(tmp_path / f"{levels}.png"), expected)


def test_a_mask_goes_with_no_other_strength(model: Path, photo: Path, mask: Path, tmp_path: Path):
    result = dni("run", model, photo, "--alpha-mask", mask, "--alpha", 0.3, "-o", tmp_path / "out.png")
    result.assert_usage("give either --alpha (for all images) or --alpha-mask (one for each region), not both")


def test_what_cannot_be_is_refused_before_the_work(photo: Path, mask: Path, tmp_path: Path):
    out = tmp_path / "out.png"
    knobs, fixed = save(with_knob(), tmp_path / "knobs.onnx"), save(baked(0.4), tmp_path / "baked.onnx")
    dni("run", knobs, photo, "--alpha-mask", mask, "-o", out).assert_error("takes 2 numbers as alpha")
    dni("run", fixed, photo, "--alpha-mask", mask, "-o", out).assert_error("baked for one alpha")
    dni("run", knobs, photo, "--alpha-mask", tmp_path / "no.png", "-o", out).assert_error("takes 2 numbers as alpha")
    assert not out.exists()


def test_a_mask_of_other_proportions_is_refused_before_the_work(model: Path, photo: Path, mask: Path, tmp_path: Path):
    """Each image of a night failed for itself."""
    (tmp_path / "damaged.png").write_bytes(b"that fails by itself")
    tall = save_image(tmp_path / "tall.png", picture(60, 40, 3))
    photos = (photo, tmp_path / "damaged.png", tall, save_image(tmp_path / "taller.png", picture(80, 40, 3)))
    expected = "mask.png has 40x60 pixels, the image 60x40; expected the same proportions; it is so with 1 more images"
    refused = dni("run", model, *photos, "--alpha-mask", mask, "-o", tmp_path / "out")
    refused.assert_error(f"{tall}: {mask.parent / expected}")
    assert not (tmp_path / "out").exists()
