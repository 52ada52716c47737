"""Colours under full transparency: no network sees them."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from enhanced import ALPHA
from onnx_models import METADATA, picture

from dni_runtime.images.enhance import enhance_images
from dni_runtime.images.picture import Picture
from dni_runtime.images.pixels.hidden_colors import HiddenColors

SHAPE = (None, 3, None, None)


def blur(x):
    """A network that mixes neighbours: the mean of 3 x 3."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    return sum(padded[:, :, i : i + x.shape[2], j : j + x.shape[3]] for i in range(3) for j in range(3)) / np.float32(9)


def double(x):
    return blur(x).repeat(2, 2).repeat(2, 3)


def sprite(height, width, dtype=np.uint8, *, color=1.0, hidden=0.0):
    """A disc of one colour on a transparent ground of another."""
    white = 1.0 if dtype == np.float32 else np.iinfo(dtype).max
    y, x = np.mgrid[:height, :width]
    inside = (y - height / 2) ** 2 + (x - width / 2) ** 2 < (min(height, width) / 3) ** 2
    image = np.full((height, width, 4), hidden * white, dtype)
    image[inside, :3] = color * white
    image[:, :, 3] = inside * white
    return image


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("tile", [None, 24])
@pytest.mark.parametrize("network", [blur, double])
@pytest.mark.parametrize("colors", [(1.0, 0.0), (0.2, 1.0)])
def test_a_sprite_of_one_colour_keeps_it_to_its_edge(dtype, tile, network, colors):
    image = sprite(70, 90, dtype, color=colors[0], hidden=colors[1])
    metadata = METADATA if network is blur else METADATA.__class__(scale=2.0, overlap=2)
    (result,) = enhance_images(network, [image], metadata, SHAPE, tile=tile)
    visible = result[result[:, :, 3] > 0]
    assert visible[:, :3] == pytest.approx(image[35, 45, 0], rel=1e-6)
    assert len(visible) >= (image[:, :, 3] > 0).sum()


def test_integers_that_a_device_converts_are_filled_too():
    image = sprite(70, 90)
    seen = []

    def run(x):
        seen.append(x.copy())
        return x

    (result,) = enhance_images(blur, [image], METADATA, SHAPE, run_integers=run)
    assert (seen[0] == 255).all()
    np.testing.assert_array_equal(result, image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("tile", [None, 24])
def test_a_network_that_returns_its_input_returns_hidden_colours(dtype, tile):
    image = picture(70, 90, 4, dtype=np.uint16)
    image = image.astype(dtype) if dtype != np.float32 else (image / 65535).astype(np.float32)
    image[:, :, 3][image[:, :, 3] < np.median(image[:, :, 3])] = 0
    (result,) = enhance_images(np.copy, [image], METADATA, SHAPE, tile=tile, overlap=2)
    # Where tiles fade, floats are a sum of two shares.
    np.testing.assert_allclose(result, image, rtol=1e-6 if dtype == np.float32 and tile else 0)


@pytest.mark.parametrize(
    ("least", "most"), [(1, 255), (255, 255), (0, 0), (200, 200)], ids=["soft", "opaque", "nothing", "constant"]
)
def test_without_hidden_pixels_beside_visible_ones_nothing_is_changed(least, most):
    image = picture(20, 30, 4)
    image[:, :, 3] = np.random.default_rng(0).integers(least, most, (20, 30), endpoint=True)
    seen = Picture(image, 3, Fraction(2), (0, 1)).read_integers(0, 0, 20, 30)
    np.testing.assert_array_equal(seen[0].transpose(1, 2, 0), image[:, :, :3])


def test_visible_pixels_are_seen_as_they_are_and_hidden_ones_as_those_beside_them():
    image = picture(64, 64, 4)
    image[:, :, 3] = np.where(image[:, :, 3] < 100, 0, image[:, :, 3])
    image[:, :32, 0], image[:, 32:, 0] = 10, 240
    hidden = image[:, :, 3] == 0
    image[hidden] = 0
    filled = HiddenColors(image[:, :, :3], image[:, :, 3:], 255, wrap=False).cut_out(0, 0, 64, 64)
    np.testing.assert_array_equal(filled[~hidden], image[~hidden, :3])
    assert filled[:, :28, 0][hidden[:, :28]] == pytest.approx(10, abs=1)
    assert filled[:, 36:, 0][hidden[:, 36:]] == pytest.approx(240, abs=1)
    assert (filled[:, 28:36, 0] >= 10).all()
    assert (filled[:, 28:36, 0] <= 240).all()


def test_a_faint_pixel_says_less_than_an_opaque_one():
    image = np.zeros((64, 64, 4), np.uint8)
    image[32, 32] = (200, 0, 0, 255)
    image[32, 33] = (0, 200, 0, 1)  # nobody sees its colour, nor chose it
    filled = HiddenColors(image[:, :, :3], image[:, :, 3:], 255, wrap=False).cut_out(0, 0, 64, 64)
    np.testing.assert_allclose(filled[31, 33], (199, 1, 0), atol=1)


def test_far_from_all_that_is_visible_lies_the_mean_colour():
    image = np.zeros((400, 400, 4), np.uint8)
    image[:4, :4] = (100, 0, 0, 255)
    image[-4:, -4:] = (0, 50, 0, 255)
    filled = HiddenColors(image[:, :, :3], image[:, :, 3:], 255, wrap=False).cut_out(0, 0, 400, 400)
    np.testing.assert_array_equal(filled[200, 200], (50, 25, 0))


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_tile_sees_what_the_whole_image_has_there(wrap, dtype):
    image = (picture(150, 170, 4) / 255).astype(np.float32)
    image[:, :, 3] = np.random.default_rng(1).random((150, 170)) > 0.99
    if dtype == np.uint8:
        image = (image * 255).astype(np.uint8)
    hidden = HiddenColors(image[:, :, :3], image[:, :, 3:], 255 if dtype == np.uint8 else 1, wrap=wrap)
    whole = hidden.cut_out(-40, -50, 240, 270)
    for top, left, height, width in [(-40, -50, 10, 10), (-3, 7, 40, 1), (60, 61, 33, 64), (140, 160, 60, 60)]:
        expected = whole[top + 40 :, left + 50 :][:height, :width]
        np.testing.assert_array_equal(hidden.cut_out(top, left, height, width), expected)


def test_memory_is_bounded_by_the_tile_not_by_the_image():
    image = np.zeros((4000, 2000, 4), np.uint8)
    image[::7, ::5] = 200
    picture = Picture(image, 3, Fraction(1), (0, 1))
    tracemalloc.start()
    try:
        Picture(image, 3, Fraction(1), (0, 1)).read(1000, 1000, 128, 128)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert picture.samples == 1
    # 32 MB are the image alone. The mean takes strips of 2^18 pixels as float64, three channels.
    assert peak < 20e6


def test_through_a_network_of_a_file(models):
    opaque = np.full((40, 50, 3), 180, np.uint8)
    image = np.dstack([opaque, np.where(np.arange(50) < 25, 255, 0)[None].repeat(40, 0).astype(np.uint8)])
    image[:, 25:, :3] = 0
    result = models["double"].enhance(image, ALPHA)
    expected = models["double"].enhance(opaque, ALPHA)
    np.testing.assert_array_equal(result[:, :50, :3], expected[:, :50])
