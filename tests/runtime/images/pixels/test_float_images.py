"""Images of float32: 0 is black, 1 is white, and what is beyond counts as that."""

import numpy as np
import pytest
from enhanced import ALPHA
from onnx_models import METADATA, noise

from dni_runtime import InputError, estimate_noise
from dni_runtime.images.enhance import enhance_images


def by_hand(model, image, alpha=ALPHA):
    """`model(x)` for the clipped image in the range that it takes, and its result clipped."""
    low, high = model.metadata.value_range
    x = np.clip(image, 0, 1).transpose(2, 0, 1)[None] * np.float32(high - low) + np.float32(low)
    y = model(np.ascontiguousarray(x), alpha)[0].transpose(1, 2, 0)
    return np.clip((y - np.float32(low)) / np.float32(high - low), 0, 1)


@pytest.mark.parametrize("name", ["rgb", "grey", "double", "half", "unet", "signed", "bytes"])
@pytest.mark.parametrize("beyond", [False, True])
def test_equal_a_call_by_hand_bit_for_bit(models, name, beyond):
    image = noise(24, 32, 1 if name == "grey" else 3)
    if beyond:
        image = image * 4 - 1
    result = models[name].enhance(image, ALPHA)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, by_hand(models[name], image))
    assert abs(result * 65535 - np.rint(result * 65535)).max() > 0.1  # nothing was rounded


def test_padding_is_cropped_bit_for_bit(models):
    image = noise(23, 30, 3) * 3 - 1
    padded = np.pad(image, ((0, 1), (0, 2), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(models["unet"].enhance(image, ALPHA), by_hand(models["unet"], padded)[:23, :30])


@pytest.mark.parametrize("tile", [None, 24])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (4,)])
@pytest.mark.parametrize("name", ["rgb", "grey", "double"])
def test_what_is_beyond_counts_as_black_or_white(models, name, shape, tile):
    """In colours, in opacity, and in the colours that hidden pixels get."""
    image = noise(40, 50, *shape) * 3 - 1
    result = models[name].enhance(image, ALPHA, tile=tile)
    np.testing.assert_array_equal(result, models[name].enhance(np.clip(image, 0, 1), ALPHA, tile=tile))
    assert 0 <= result.min() <= result.max() <= 1


@pytest.mark.parametrize(
    "all_beyond", [lambda opacity: opacity + 1, lambda opacity: -opacity], ids=["opaque", "hidden"]
)
def test_opacity_that_differs_only_beyond_is_constant(models, all_beyond):
    image = noise(20, 30, 4)
    image[:, :, 3] = all_beyond(image[:, :, 3])
    result = models["double"].enhance(image, ALPHA)
    np.testing.assert_array_equal(result, models["double"].enhance(np.clip(image, 0, 1), ALPHA))
    assert np.unique(result[:, :, 3]).size == 1


def test_a_map_of_alpha_clips_what_it_has_mixed(models):
    image, strengths = noise(24, 30, 3), np.full((24, 30), 0.25, np.float32)
    strengths[12:] = 0.75
    strengths[0, 0], strengths[-1, -1] = 0, 1
    x = np.ascontiguousarray(image.transpose(2, 0, 1)[None])
    low, high = (models["rgb"](x, alpha)[0].transpose(1, 2, 0) for alpha in (0.0, 1.0))
    assert (low.min(), high.max()) < (0, 1) or high.max() > 1
    mixed = low * (1 - strengths[..., None]) + high * strengths[..., None]
    result = models["rgb"].enhance(image, strengths, levels=2)
    np.testing.assert_allclose(result, np.clip(mixed, 0, 1), atol=1e-6)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (4,)])
@pytest.mark.parametrize("name", ["rgb", "grey", "double", "half", "signed", "fixed"])
def test_floats_give_what_fine_integers_give(models, name, shape):
    image = np.rint(noise(20, 30, *shape) * 65535)
    integers = models[name].enhance(image.astype(np.uint16), ALPHA)
    floats = models[name].enhance((image / 65535).astype(np.float32), ALPHA)
    assert floats.shape == integers.shape
    np.testing.assert_allclose(floats, integers / 65535, atol=1 / 65535)


def test_a_network_that_returns_its_input_returns_the_image():
    image = noise(60, 70, 3) * 1e4 - 500
    (result,) = enhance_images(lambda x: x, [image], METADATA, (None, 3, None, None))
    np.testing.assert_array_equal(result, np.clip(image, 0, 1))


def test_the_image_is_not_changed(models):
    for image in (noise(20, 30, 1), noise(20, 30, 3), noise(20, 30, 4)):
        before = image.copy()
        enhance_images(lambda x: x, [image], METADATA, (None, image.shape[2] % 3 or 3, None, None))
        models["double"].enhance(image, ALPHA)
        np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_before_anything_runs(models, value):
    for shape in ((20, 30), (20, 30, 3), (20, 30, 4)):
        image = noise(*shape)
        image[-1, -1] = value
        with pytest.raises(InputError, match="NaN or infinite values; expected finite numbers"):
            enhance_images(lambda x: pytest.fail("it ran"), [noise(*shape), image], METADATA, (None, 3, None, None))
        with pytest.raises(InputError, match="NaN or infinite"):
            models["rgb"].enhance(image, ALPHA)


def test_their_noise_is_that_of_integers():
    image = np.random.default_rng(0).normal(0.5, 20 / 255, (128, 128, 3)).astype(np.float32)
    assert estimate_noise(image) == pytest.approx(estimate_noise(np.rint(image * 255).astype(np.uint8)), rel=0.02)


def test_the_noise_of_what_is_beyond_is_that_of_the_clipped_image():
    image = np.random.default_rng(0).normal(0.95, 20 / 255, (128, 128, 3)).astype(np.float32)
    assert image.max() > 1.1
    assert estimate_noise(image) == estimate_noise(np.clip(image, 0, 1))
