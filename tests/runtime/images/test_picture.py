from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx_models import picture

from dni_runtime.images.conversion import to_batch, to_float
from dni_runtime.images.picture import Picture

UNIT = (0.0, 1.0)


@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(0, 11),
    st.integers(0, 11),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_tiles_are_cut_out_of_the_reflected_image(height, width, top, left, tile_height, tile_width):
    image = picture(height, width, 3)
    top, left = min(top, height - 1), min(left, width - 1)
    reflected = np.pad(image, ((0, 52), (0, 52), (0, 0)), mode="reflect")
    expected = reflected[top : top + tile_height, left : left + tile_width]
    target, place = Picture(image, 3, Fraction(1), UNIT), (top, left, tile_height, tile_width)
    np.testing.assert_array_equal(target.read(*place), to_float(to_batch(expected, 3), UNIT))
    integers = target.read_integers(*place)
    np.testing.assert_array_equal(integers, to_batch(expected, 3))
    assert integers.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.parametrize(
    ("shape", "channels", "scale", "samples"),
    [
        ((8, 9), 3, 1, 1),
        ((8, 9), 1, 1, 1),
        ((8, 9, 3), 3, 1, 1),
        ((8, 9, 3), 1, 1, 3),
        ((8, 9, 4), 3, 1, 1),
        ((8, 9, 4), 3, 2, 2),
        ((8, 9, 4), 1, 2, 4),
    ],
)
def test_a_tile_is_as_many_samples_as_the_network_needs(shape, channels, scale, samples):
    picture_ = Picture(picture(*shape), channels, Fraction(scale), UNIT)
    assert picture_.samples == samples
    assert picture_.read(0, 0, 4, 5).shape == (samples, channels, 4, 5)


@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 1), (8, 9, 3), (8, 9, 4)])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_read_can_be_written_block_by_block(shape, channels):
    image = picture(*shape, dtype=np.uint16)
    target = Picture(image, channels, Fraction(1), UNIT)
    for top, left in ((0, 0), (0, 4), (5, 0), (5, 4)):
        # The lower and right blocks end beyond the image.
        target.write(target.read(top, left, 5 if top == 0 else 6, 4 if left == 0 else 9), top, left)
    np.testing.assert_array_equal(target.result, image)


@pytest.mark.parametrize(
    ("shape", "channels", "scale", "as_it_is"),
    [
        ((8, 9), 1, 1, True),
        ((8, 9), 3, 1, False),
        ((8, 9, 3), 3, 2, True),
        ((8, 9, 3), 1, 1, False),
        ((8, 9, 4), 3, 1, True),
        ((8, 9, 4), 3, 2, False),
    ],
)
def test_images_that_may_stay_integers(shape, channels, scale, as_it_is):
    assert Picture(picture(*shape), channels, Fraction(scale), UNIT).as_it_is == as_it_is


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 1), (8, 9, 3), (8, 9, 4)])
def test_integers_that_are_read_can_be_written(shape, dtype):
    image = picture(*shape, dtype=dtype)
    target = Picture(image, 3 if shape[2:] > (1,) else 1, Fraction(1), UNIT)
    for top, left in ((0, 0), (5, 0), (0, 4), (5, 4)):
        target.write(target.read_integers(top, left, 5, 9), top, left)
    np.testing.assert_array_equal(target.result, image)


def test_padding_may_hold_nan():
    target = Picture(picture(3, 3, 3), 3, Fraction(1), UNIT)
    tile = target.read(0, 0, 4, 4)
    tile[:, :, 3] = tile[:, :, :, 3] = np.nan
    target.write(tile, 0, 0)
    np.testing.assert_array_equal(target.result, picture(3, 3, 3))
