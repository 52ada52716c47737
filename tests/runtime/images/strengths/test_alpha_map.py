"""`enhance` with an alpha for each pixel, on models of files."""

import itertools

import numpy as np
import pytest
from enhanced import ALPHA, assert_same_picture
from onnx_models import baked, noise, picture, save
from with_knobs import with_knob

from dni_runtime import AlphaError, InputError, load


def halves(height, width, left=0.3, right=0.8, border=6):
    """Two constant parts, with a border between them."""
    middle = width // 2
    strengths = np.full((height, width), left, np.float32)
    strengths[:, middle:] = right
    strengths[:, middle - border : middle + border] = np.linspace(left, right, 2 * border)
    return strengths


@pytest.mark.parametrize("name", ["rgb", "grey", "double", "half", "unet", "fixed", "silent"])
@pytest.mark.parametrize("tile", [None, 72])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_constant_parts_equal_the_scalars_result_exactly(models, name, tile, dtype):
    image = picture(80, 160, 3) if dtype == np.uint8 else picture(80, 160, 3, dtype=np.uint16)
    image = (image / 65535).astype(np.float32) if dtype == np.float32 else image
    model = models[name]
    result = model.enhance(image, halves(80, 160), tile=tile)
    scale = model.metadata.scale
    left, right = int(72 * scale), int(88 * scale)
    np.testing.assert_array_equal(result[:, :left], model.enhance(image, 0.3, tile=tile)[:, :left])
    np.testing.assert_array_equal(result[:, right:], model.enhance(image, 0.8, tile=tile)[:, right:])


@pytest.mark.parametrize("name", ["rgb", "double"])
def test_a_border_goes_from_one_to_the_other(models, name):
    image = noise(40, 100, 3)
    strengths = halves(40, 100, 0.0, 1.0, border=20)
    mixed = models[name].enhance(image, strengths, levels=2)
    x = np.ascontiguousarray(image.transpose(2, 0, 1)[None])
    low, high = (models[name](x, alpha)[0].transpose(1, 2, 0) for alpha in (0.0, 1.0))  # not clipped
    times = int(models[name].metadata.scale)
    columns = (np.arange(100 * times) + 0.5) / times - 0.5
    share = np.interp(columns, np.arange(100), strengths[0])[None, :, None]
    np.testing.assert_allclose(mixed, np.clip(low + share * (high - low), 0, 1), atol=1e-5)


def test_more_levels_come_nearer_to_an_alpha_for_each_pixel(models):
    image = noise(20, 101, 3)
    strengths = np.linspace(0, 1, 101, dtype=np.float32)[None].repeat(20, 0)
    exact = np.stack([models["rgb"].enhance(image, float(alpha))[:, i] for i, alpha in enumerate(strengths[0])], 1)
    errors = [abs(models["rgb"].enhance(image, strengths, levels=most) - exact).mean() for most in (2, 3, 5, 9)]
    # Linear in between: half the distance, a quarter of the error.
    assert errors[0] > 0.005
    assert [a / b for a, b in itertools.pairwise(errors)] == pytest.approx([4, 4, 4], rel=0.2)


def test_a_constant_map_is_a_scalar(models):
    for image in (picture(20, 30, 4), picture(20, 30), picture(20, 30, 3, dtype=np.uint16)):
        result = models["double"].enhance(image, np.full((20, 30), ALPHA, np.float32))
        np.testing.assert_array_equal(result, models["double"].enhance(image, ALPHA))


def test_a_batch_has_one_map(models):
    images = [picture(50, 99, 3), picture(50, 99, 4, seed=2), picture(50, 99, dtype=np.uint16, seed=3)]
    strengths = halves(50, 99)
    batch = models["double"].enhance_batch(images, strengths, tile=40)
    for image, result in zip(images, batch, strict=True):
        assert_same_picture(result, models["double"].enhance(image, strengths, tile=40))


def test_a_seamless_tile_with_a_map(models):
    image, strengths = picture(36, 52, 3), noise(36, 52)
    result = models["double"].enhance(image, strengths, wrap=True)
    rolled = models["double"].enhance(np.roll(image, (10, 20), (0, 1)), np.roll(strengths, (10, 20), (0, 1)), wrap=True)
    assert_same_picture(rolled, np.roll(result, (20, 40), (0, 1)))


def test_progress_counts_each_tile_once(models):
    seen = []
    models["rgb"].enhance(
        picture(50, 90, 3), halves(50, 90), tile=40, progress=lambda done, of: seen.append((done, of))
    )
    assert seen == [(i + 1, len(seen)) for i in range(len(seen))]
    assert len(seen) > 4


@pytest.mark.parametrize(
    ("strengths", "message"),
    [
        (np.zeros((9, 8), np.float32), "a map of 9x8; expected 8x9, a number for each pixel"),
        (np.zeros((8, 9), np.uint8), "a map of dtype uint8; expected float32"),
        (np.full((8, 9), 1.5, np.float32), "alpha 1.5 is out of range"),
        (np.full((8, 9), np.nan, np.float32), "alpha nan is out of range"),
    ],
)
def test_unfit_maps(models, strengths, message):
    with pytest.raises(AlphaError, match=message):
        models["rgb"].enhance(picture(8, 9, 3), strengths)


def test_fewer_than_two_levels(models):
    with pytest.raises(InputError, match="levels is 1; expected 2 or more"):
        models["rgb"].enhance(picture(8, 9, 3), halves(8, 9, border=2), levels=1)


def test_models_of_several_alphas_take_none(tmp_path):
    with (
        load(save(with_knob(), tmp_path / "knob.onnx"), "cpu") as model,
        pytest.raises(AlphaError, match="alpha is a map, but the model takes 2 numbers"),
    ):
        model.enhance(picture(8, 9, 3), halves(8, 9, border=2))


def test_a_baked_model_takes_what_it_is_baked_for(tmp_path):
    image = picture(8, 9, 3)
    with load(save(baked(ALPHA), tmp_path / "baked.onnx"), "cpu") as model:
        np.testing.assert_array_equal(
            model.enhance(image, np.full((8, 9), ALPHA, np.float32)), model.enhance(image, ALPHA)
        )
        with pytest.raises(AlphaError, match=r"alpha is 0\.3, but .* is baked for 0\.4"):
            model.enhance(image, halves(8, 9, border=2))
