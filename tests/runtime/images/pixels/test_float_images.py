"""Images of float32: 0 is black, 1 is white, and what is beyond stays."""

from dataclasses import replace

import numpy as np
import pytest
from enhanced import ALPHA
from onnx_models import METADATA, noise

from dni_runtime import estimate_noise
from dni_runtime.images.enhance import enhance_images


def test_equal_a_call_by_hand_and_are_not_clipped(models):
    image = noise(24, 32, 3) * 4 - 1
    y = models["double"](np.ascontiguousarray(image.transpose(2, 0, 1)[None]), ALPHA)[0].transpose(1, 2, 0)
    result = models["double"].enhance(image, ALPHA)
    assert result.dtype == np.float32
    assert y.min() < -0.5
    np.testing.assert_allclose(result, y, atol=1e-6)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (4,)])
@pytest.mark.parametrize("name", ["rgb", "grey", "double", "half", "signed", "fixed"])
def test_floats_give_what_fine_integers_give(models, name, shape):
    image = np.rint(noise(20, 30, *shape) * 65535)
    integers = models[name].enhance(image.astype(np.uint16), ALPHA)
    floats = models[name].enhance((image / 65535).astype(np.float32), ALPHA)
    assert floats.shape == integers.shape
    np.testing.assert_allclose(np.clip(floats, 0, 1), integers / 65535, atol=1 / 65535)


def test_a_network_that_returns_its_input_returns_the_image():
    image = noise(60, 70, 3) * 1e4 - 500
    (result,) = enhance_images(lambda x: x, [image], METADATA, (None, 3, None, None))
    np.testing.assert_array_equal(result, image)


def test_the_image_is_not_changed(models):
    for image in (noise(20, 30, 1), noise(20, 30, 3), noise(20, 30, 4)):
        before = image.copy()
        enhance_images(lambda x: x, [image], METADATA, (None, image.shape[2] % 3 or 3, None, None))
        models["double"].enhance(image, ALPHA)
        np.testing.assert_array_equal(image, before)


def test_opacity_stays_within_0_and_1_where_colours_do_not():
    image = noise(20, 30, 4)
    (result,) = enhance_images(
        lambda x: (x * 3 - 1).repeat(2, 2).repeat(2, 3), [image], replace(METADATA, scale=2.0), (None, 3, None, None)
    )
    expected = (image * 3 - 1).repeat(2, 0).repeat(2, 1)
    expected[:, :, 3] = np.clip(expected[:, :, 3], 0, 1)
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_their_noise_is_that_of_integers():
    image = np.random.default_rng(0).normal(0.5, 20 / 255, (128, 128, 3)).astype(np.float32)
    assert estimate_noise(image) == pytest.approx(estimate_noise(np.rint(image * 255).astype(np.uint8)), rel=0.02)
