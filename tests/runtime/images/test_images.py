import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx_models import noise, picture

from dni_runtime import InputError, ModelError
from dni_runtime.images.conversion import copy_pixels, from_batch, split_opacity, to_batch, to_float, write_pixels


def to_integers(values, dtype, value_range):
    out = np.empty(values.shape, dtype)
    write_pixels(values, out, value_range)
    return out


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("value_range", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_every_integer_survives(dtype, value_range):
    values = np.arange(np.iinfo(dtype).max + 1).astype(dtype).reshape(1, 1, 1, -1)
    as_float = to_float(values, value_range)
    assert as_float.dtype == np.float32
    assert (as_float.min(), as_float.max()) == value_range
    np.testing.assert_array_equal(to_integers(as_float[0], dtype, value_range), values[0])


def test_rounds_to_nearest_and_clips():
    values = np.array([[[-3, -0.001, 0.49 / 255, 0.51 / 255, 254.6 / 255, 1.2, np.inf]]], np.float32)
    np.testing.assert_array_equal(to_integers(values, np.uint8, (0, 1)), [[[0, 0, 0, 1, 255, 255, 255]]])


def test_one_channel_is_written_to_all():
    out = np.zeros((4, 5, 3), np.uint8)
    image = picture(4, 5, 1)
    write_pixels(image / np.float32(255), out, (0, 1))
    np.testing.assert_array_equal(out, np.broadcast_to(image, out.shape))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("made", [3, 4])
def test_pixels_are_copied_however_they_lie(dtype, channels, made):
    image = picture(4, 5, channels, dtype=dtype)
    planes = np.ascontiguousarray(image.transpose(2, 0, 1)).transpose(1, 2, 0)
    for values in (image, planes, planes.astype(np.float32), np.asfortranarray(image)):
        out = np.zeros((6, 8, made), dtype)
        copy_pixels(values, out[1:5, 2:7, :3])
        np.testing.assert_array_equal(out[1:5, 2:7, :3], np.broadcast_to(image, (4, 5, 3)))
        assert out.sum() == out[1:5, 2:7, :3].sum()


def test_nan_is_an_error_not_black():
    with pytest.raises(ModelError, match="output holds NaN"):
        to_integers(np.array([[[0, np.nan]]], np.float32), np.uint8, (0, 1))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (noise(4, 4, 3).astype(np.float64), "dtype float64; expected uint8 or uint16 .*, or float32 over 0..1"),
        (np.full((4, 4), np.nan, np.float32), "NaN or infinite values; expected finite numbers"),
        (np.full((4, 4), -np.inf, np.float32), "NaN or infinite values"),
        (np.zeros((4, 4, 3), np.int32), "dtype int32"),
        (picture(4, 4, 2), r"shape \(4, 4, 2\); expected \(H, W\)"),
        (picture(1, 4, 4, 3), r"shape \(1, 4, 4, 3\)"),
        (picture(4), r"shape \(4,\)"),
        (picture(0, 4, 3), r"shape \(0, 4, 3\); expected at least one pixel"),
        ([[1]], "type list"),
    ],
)
def test_unfit_images(image, message):
    with pytest.raises(InputError, match=message):
        split_opacity(image)


@pytest.mark.parametrize("value_range", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_floats_survive_between_black_and_white(value_range):
    image = np.array([[-0.5, 0.0, 0.1, 1.0, 3.5, 1e-8]], np.float32)[:, :, None]
    values = to_float(to_batch(image, 1), value_range)
    clipped = np.clip(image, 0, 1)
    expected = value_range[0] + clipped.ravel() * (value_range[1] - value_range[0])
    np.testing.assert_allclose(values.ravel(), expected, rtol=1e-6)
    assert not np.shares_memory(values, image)
    out = np.empty_like(image)
    write_pixels(from_batch(values, 1, 1), out, value_range)
    # Over 0..1 nothing is computed; else float32 rounds, at the size of the range.
    tolerance = 0 if value_range == (0, 1) else 1e-6
    np.testing.assert_allclose(out, clipped, rtol=tolerance, atol=tolerance)


def test_floats_are_clipped():
    out = np.empty((1, 5, 1), np.float32)
    write_pixels(np.array([[[-np.inf], [-0.1], [0.3], [1.1], [np.inf]]], np.float32), out, (0.0, 1.0))
    np.testing.assert_array_equal(out.ravel(), np.array([0, 0, 0.3, 1, 1], np.float32))


def test_split_opacity():
    image = picture(5, 6, 4)
    colors, opacity = split_opacity(image)
    np.testing.assert_array_equal(np.concatenate([colors, opacity], axis=2), image)
    assert split_opacity(picture(5, 6))[0].shape == (5, 6, 1)
    assert split_opacity(picture(5, 6, 3))[1] is None


@given(st.sampled_from([1, 3]), st.sampled_from([1, 3]), st.integers(1, 9), st.integers(1, 9))
def test_batch_round_trip(colors, channels, height, width):
    image = picture(height, width, colors)
    batch = to_batch(image, channels)
    assert batch.shape == (3 if (colors, channels) == (3, 1) else 1, channels, height, width)
    np.testing.assert_array_equal(from_batch(batch, colors, channels), image)


def test_grey_is_the_mean_of_three_channels():
    batch = noise(1, 3, 4, 5)
    np.testing.assert_allclose(from_batch(batch, 1, 3)[:, :, 0], batch[0].mean(axis=0))


@pytest.mark.parametrize(("colors", "channels", "made"), [(1, 1, 3), (3, 3, 1)])
def test_networks_that_change_the_colours(colors, channels, made):
    assert from_batch(noise(1, made, 4, 5), colors, channels).shape == (4, 5, made)


def test_networks_that_make_no_image():
    with pytest.raises(InputError, match="turns 3 channels into 2"):
        from_batch(noise(1, 2, 4, 4), 3, 3)
    with pytest.raises(InputError, match="turns 1 channels into 3"):
        from_batch(noise(3, 3, 4, 4), 3, 1)
