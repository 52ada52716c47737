"""A grey picture as the strength for each region."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx_models import METADATA
from PIL import Image

from dni_deploy.image_files.alpha_mask import alpha_map, check_mask
from dni_deploy.image_files.read_write import write_image
from dni_runtime import AlphaError, InputError
from dni_runtime.alpha import Knob


@pytest.fixture
def save(tmp_path: Path):
    def save(mask) -> Path:
        write_image(tmp_path / "mask.png", mask)
        return tmp_path / "mask.png"

    return save


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("alpha_range", [(0.0, 1.0), (-0.5, 1.5), (0.1, 0.7)])
def test_black_is_the_low_end_and_white_the_high(save, dtype, alpha_range):
    white = np.iinfo(dtype).max
    mask = np.array([[0, white // 5, white]], dtype)
    low, high = alpha_range
    expected = np.array([[low, low + (high - low) / 5, high]], np.float32)
    found = alpha_map(save(mask), (1, 3), alpha_range)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_grey_saved_as_colours_is_grey(save):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    as_colors = np.dstack([grey] * 3)
    opaque = np.dstack([as_colors, np.full((3, 4), 255, np.uint8)])
    for mask in (grey, as_colors, opaque):
        np.testing.assert_array_equal(alpha_map(save(mask), (3, 4), (0, 1)), (grey / 255).astype(np.float32))


@pytest.mark.parametrize("size", [(60, 90), (61, 90), (7, 10), (400, 600)])
def test_one_of_another_size_is_resized_and_constant_parts_stay_constant(save, size):
    mask = np.full((40, 60), 51, np.uint8)
    mask[:, 30:] = 255
    found = alpha_map(save(mask), size, (0, 1))
    assert found.shape == size
    border = -(-size[1] // 40) + 1
    middle = size[1] // 2
    assert (found[:, : middle - border] == np.float32(0.2)).all()
    assert (found[:, middle + border :] == 1).all()
    assert (np.diff(found, axis=1) >= 0).all()


@pytest.mark.parametrize("size", [(60, 60), (90, 60), (40, 63)])
def test_other_proportions_are_refused(save, size):
    mask = save(np.zeros((40, 60), np.uint8))
    with pytest.raises(InputError, match=f"40x60 pixels, the image {size[0]}x{size[1]}; expected the same proportions"):
        alpha_map(mask, size, (0, 1))


def test_what_is_no_mask_is_refused(save, tmp_path):
    red = np.zeros((3, 4, 3), np.uint8)
    red[1, 1, 0] = 9
    with pytest.raises(InputError, match="has colours; expected a grey picture"):
        check_mask(save(red), METADATA)
    with pytest.raises(InputError, match="transparent in places"):
        check_mask(save(np.zeros((3, 4, 4), np.uint8)), None)
    with pytest.raises(InputError, match=r"none\.png"):
        check_mask(tmp_path / "none.png", METADATA)


def test_models_without_one_alpha_are_refused(save):
    mask = save(np.zeros((3, 4), np.uint8))
    check_mask(mask, METADATA)
    check_mask(mask, None)
    with pytest.raises(AlphaError, match="takes 2 numbers as alpha; expected a model of one"):
        check_mask(mask, replace(METADATA, alpha_knobs=(Knob("late", ("x.*",)),)))
    with pytest.raises(AlphaError, match="is baked for one alpha"):
        check_mask(mask, replace(METADATA, alpha_pinned=(0.5,)))


def test_a_palette_of_greys_is_grey(tmp_path):
    grey = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4) * 20)
    grey.convert("P").save(tmp_path / "mask.png")
    np.testing.assert_array_equal(alpha_map(tmp_path / "mask.png", (3, 4), (0, 1)), np.asarray(grey) / np.float32(255))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_mask_of_no_numbers_is_refused(tmp_path, value):
    mask = np.full((8, 9), 0.5, np.float32)
    mask[3, 4] = value
    write_image(tmp_path / "mask.tif", mask)
    with pytest.raises(InputError, match=r"mask\.tif holds NaN or infinite values"):
        check_mask(tmp_path / "mask.tif", None)
