"""Integers that do not fill their dtype: as a film of 10 bits has them in uint16."""

import numpy as np
import pytest
from enhanced import ALPHA, assert_same_picture
from onnx_models import METADATA, noise, picture

from dni_runtime import InputError, estimate_noise
from dni_runtime.images.enhance import enhance_images

CASES = [(np.uint16, 10), (np.uint16, 12), (np.uint16, 9), (np.uint8, 7)]


def narrow(dtype, bits, *shape, seed=1):
    return np.rint(noise(*shape, seed=seed) * (2**bits - 1)).astype(dtype)


@pytest.mark.parametrize(("dtype", "bits"), CASES)
@pytest.mark.parametrize("tile", [None, 24])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (4,)])
@pytest.mark.parametrize("name", ["rgb", "grey", "double", "signed"])
def test_are_what_floats_of_the_same_values_are(models, name, shape, tile, dtype, bits):
    image, white = narrow(dtype, bits, 30, 40, *shape), 2**bits - 1
    image[:9, :9] = 0  # hidden, where there is opacity
    result = models[name].enhance(image, ALPHA, tile=tile, bits=bits)
    floats = models[name].enhance((image / white).astype(np.float32), ALPHA, tile=tile)
    assert result.dtype == dtype
    assert result.max() <= white
    assert_same_picture(result, np.rint(floats * white).astype(dtype))


@pytest.mark.parametrize(("dtype", "bits"), [*CASES, (np.uint8, 8), (np.uint16, 16)])
@pytest.mark.parametrize("channels", [3, 4])
def test_every_value_comes_back(dtype, bits, channels):
    values = np.arange(2**bits).astype(dtype)
    image = np.broadcast_to(values[None, :, None], (2, len(values), channels)).copy()
    (result,) = enhance_images(np.copy, [image], METADATA, (None, 3, None, None), bits=bits)
    np.testing.assert_array_equal(result, image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_all_bits_are_none(models, dtype):
    image = picture(30, 40, 3, dtype=dtype)
    bits = 8 * np.dtype(dtype).itemsize
    np.testing.assert_array_equal(models["rgb"].enhance(image, ALPHA, bits=bits), models["rgb"].enhance(image, ALPHA))


def test_a_batch_may_hold_both_integers(models):
    images = [narrow(np.uint8, 6, 30, 40, 3), narrow(np.uint16, 6, 30, 40, 3, seed=2)]
    batch = models["double"].enhance_batch(images, ALPHA, bits=6)
    for image, result in zip(images, batch, strict=True):
        assert_same_picture(result, models["double"].enhance(image, ALPHA, bits=6))


def test_noise_is_told_of_255_whatever_white_is():
    image = np.random.default_rng(0).normal(0.5, 20 / 255, (128, 128, 3)).clip(0, 1)
    deep = np.rint(image * 65535).astype(np.uint16)
    fewer = np.rint(image * 1023).astype(np.uint16)
    assert estimate_noise(fewer, bits=10) == pytest.approx(estimate_noise(deep), rel=0.01)


@pytest.mark.parametrize(
    ("image", "bits", "message"),
    [
        (
            np.full((4, 4), 1024, np.uint16),
            10,
            "the value 1024; expected 0 to 1023, which is white at bits=10. .*11 or",
        ),
        (np.zeros((4, 4, 3), np.uint8), 10, "bits is 10; expected 1 to 8 for an image of dtype uint8"),
        (np.zeros((4, 4, 3), np.uint16), 17, "bits is 17; expected 1 to 16"),
        (np.zeros((4, 4, 3), np.uint16), 10.5, "bits is 10.5; expected 1 to 16"),
        (np.zeros((4, 4, 3), np.uint16), "10", "bits is '10'; expected 1 to 16"),
        (np.zeros((4, 4, 3), np.uint16), 0, "bits is 0; expected 1 to 16"),
        (np.zeros((4, 4, 3), np.float32), 10, "bits is 10, but the image is float32, over 0..1; expected uint8 or"),
    ],
)
def test_unfit_bits(models, image, bits, message):
    with pytest.raises(InputError, match=message):
        models["silent"].enhance(image, ALPHA, bits=bits)
    with pytest.raises(InputError, match=message):
        estimate_noise(image, bits=bits)
