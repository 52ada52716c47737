"""Seamless tiles: their ends meet, before the network and after it."""

import numpy as np
import pytest
from enhanced import ALPHA, assert_same_picture
from hypothesis import given
from hypothesis import strategies as st
from onnx_models import METADATA, picture

from dni_runtime import InputError
from dni_runtime.images.enhance import enhance_images
from dni_runtime.images.pixels.edges import cut_out


@given(st.integers(1, 9), st.integers(1, 9), st.integers(-20, 20), st.integers(-20, 20), st.integers(1, 30))
def test_beyond_its_ends_an_image_is_reflected_or_repeated(height, width, top, left, size):
    image = picture(height, width, 3)
    for wrap, mode in ((False, "reflect"), (True, "wrap")):
        padded = np.pad(image, ((50, 50), (50, 50), (0, 0)), mode=mode)
        expected = padded[50 + top :, 50 + left :][:size, :size]
        np.testing.assert_array_equal(cut_out(image, top, left, size, size, wrap=wrap), expected)


@pytest.mark.parametrize("name", ["rgb", "double", "half", "fixed", "grey double"])
@pytest.mark.parametrize("tile", [None, 24])
@pytest.mark.parametrize("shape", [(36, 52), (36, 52, 3), (36, 52, 4)], ids=["grey", "rgb", "opacity"])
def test_enhancing_a_rolled_image_is_rolling_the_enhanced_one(models, name, tile, shape):
    if name == "fixed" and tile is not None:
        tile = 40
    image = picture(*shape)
    if shape[2:] == (4,):
        image[:, :, 3] |= 1  # what is hidden is filled on a grid
    scale = models[name].metadata.scale
    result = models[name].enhance(image, ALPHA, tile=tile, wrap=True)
    assert result.shape[:2] == (36 * scale, 52 * scale)
    for down, right in ((10, 20), (2, -2), (18, 26)):
        rolled = models[name].enhance(np.roll(image, (down, right), (0, 1)), ALPHA, tile=tile, wrap=True)
        # Another place in a tile, and in a vector register, may round another way.
        assert_same_picture(rolled, np.roll(result, (int(down * scale), int(right * scale)), (0, 1)))


def test_without_wrap_they_differ(models):
    """That the test above can fail."""
    image = picture(36, 52, 3)
    result = models["rgb"].enhance(image, ALPHA)
    rolled = models["rgb"].enhance(np.roll(image, 10, 0), ALPHA)
    assert abs(np.roll(result, 10, 0).astype(int) - rolled).max() > 30


def test_away_from_the_ends_nothing_changes(models):
    image = picture(40, 60, 3)
    plain, wrapped = (models["double"].enhance(image, ALPHA, wrap=wrap) for wrap in (False, True))
    assert_same_picture(plain[8:-8, 8:-8], wrapped[8:-8, 8:-8])
    assert abs(plain[0].astype(int) - wrapped[0]).max() > 30


def test_two_by_two_of_the_result_are_the_result_of_two_by_two(models):
    image = picture(24, 20, 3)
    once = models["double"].enhance(image, ALPHA, wrap=True)
    twice = models["double"].enhance(np.tile(image, (2, 2, 1)), ALPHA, wrap=True)
    assert_same_picture(np.tile(once, (2, 2, 1)), twice)


def test_a_network_of_multiples_keeps_its_grid_where_the_image_does(models):
    image = picture(32, 48, 3)
    result = models["unet"].enhance(image, ALPHA, wrap=True)
    rolled = models["unet"].enhance(np.roll(image, (8, 12), (0, 1)), ALPHA, wrap=True)
    assert_same_picture(rolled, np.roll(result, (8, 12), (0, 1)))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (2, 3), (5, 6)])
def test_smaller_than_what_the_network_sees(models, size):
    result = models["unet"].enhance(picture(*size, 3), ALPHA, wrap=True)
    assert result.shape[:2] == size


def test_hidden_colours_are_filled_across_the_ends():
    image = np.zeros((64, 64, 4), np.uint8)
    image[:, :4] = (200, 10, 0, 255)
    image[:, 30:34] = (0, 10, 90, 255)
    seen = []

    def run(x):
        seen.append(x.copy())
        return x

    enhance_images(run, [image], METADATA, (None, 3, None, None), wrap=True, overlap=4)
    red = np.rint(seen[0][0, 0] * 255)[:, 4:68]
    assert (red[:, 57:] > 150).all()
    assert (red[:, 63] > 190).all()
    assert (red[:, 34:40] < 20).all()


def test_a_batch_wraps(models):
    images = [picture(24, 20, 3), picture(24, 20, seed=3)]
    for image, result in zip(images, models["double"].enhance_batch(images, ALPHA, wrap=True), strict=True):
        assert_same_picture(result, models["double"].enhance(image, ALPHA, wrap=True))


def test_half_of_an_odd_size_cannot_be_seamless(models):
    with pytest.raises(InputError, match=r"33x20 pixels has no whole number of them at scale 1/2, .* multiples of 2"):
        models["half"].enhance(picture(33, 20, 3), ALPHA, wrap=True)
