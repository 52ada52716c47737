"""Networks at several levels, mixed as a map says."""

import tracemalloc
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from onnx_models import METADATA, noise, picture

from dni_runtime import InputError
from dni_runtime.images.enhance import enhance_images
from dni_runtime.images.strengths.regions import Regions

SHAPE = (None, 3, None, None)


class Brightness:
    """A network that multiplies by alpha squared, and notes which tiles ran at which alpha."""

    def __init__(self, levels, times=1):
        self.ran = {level: 0 for level in levels}
        self.order = []
        self._times = times

    def at(self, level):
        def run(x):
            self.ran[level] += len(x)
            self.order.append(level)
            y = x * np.float32(level**2)
            return y.repeat(self._times, 2).repeat(self._times, 3)

        return run

    def regions(self, strengths):
        return Regions(strengths, tuple(self.ran), [self.at(level) for level in self.ran])


def test_each_pixel_is_mixed_of_the_levels_around_its_own():
    strengths = np.array([[0, 0.1, 0.25, 0.5, 0.75, 1]], np.float32)
    image = np.ones((1, 6, 3), np.float32)
    network = Brightness((0.0, 0.5, 1.0))
    (result,) = enhance_images(network.regions(strengths), [image], METADATA, SHAPE)
    np.testing.assert_allclose(result[0, :, 0], [0, 0.05, 0.125, 0.25, 0.625, 1], atol=1e-6)


@pytest.mark.parametrize("fixed", [False, True])
def test_tiles_run_at_the_levels_that_they_need_and_no_other(fixed):
    strengths = np.zeros((64, 256), np.float32)
    strengths[:, 70:] = 0.5
    strengths[:, 200:] = np.linspace(0.5, 1, 56)
    network = Brightness((0.0, 0.5, 1.0))
    shape = (1, 3, 64, 64) if fixed else SHAPE
    (result,) = enhance_images(
        network.regions(strengths), [np.ones((64, 256, 3), np.float32)], METADATA, shape, tile=64, overlap=0
    )
    # Tiles of 64 pixels that share 16 begin at 0, 48, 96, 144 and 192.
    assert network.ran == {0.0: 2, 0.5: 4, 1.0: 2}
    np.testing.assert_array_equal(result[:, :64], 0)
    np.testing.assert_allclose(result[:, 80:190], 0.25, atol=1e-6)


def test_infinity_at_one_level_leaves_the_pixels_of_others_as_they_are():
    strengths = np.array([[0, 0.25, 0.5, 0.75, 1, 1]], np.float32)
    runs = [lambda x: x * np.float32(0.5), lambda x: x * np.float32(0.25), lambda x: x + np.float32("inf")]
    network = Regions(strengths, (0.0, 0.5, 1.0), runs)
    (result,) = enhance_images(network, [np.ones((1, 6, 3), np.float32)], METADATA, SHAPE)
    np.testing.assert_array_equal(result[0, :, 0], np.float32([0.5, 0.375, 0.25, 1, 1, 1]))


def test_a_batch_begins_with_the_alpha_that_the_one_before_ended_with():
    strengths = noise(64, 200)
    strengths[0, 0], strengths[0, 1] = 0, 1
    network = Brightness((0.0, 0.5, 1.0))
    enhance_images(network.regions(strengths), [picture(64, 200, 3)], METADATA, (1, 3, 64, 64), tile=64, overlap=0)
    assert network.order[:6] == [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]


def test_what_is_thrown_away_needs_no_level():
    strengths = np.zeros((64, 256), np.float32)
    strengths[:, 122:] = 1
    network = Brightness((0.0, 1.0))
    enhance_images(network.regions(strengths), [picture(64, 256, 3)], METADATA, SHAPE, tile=64, overlap=16)
    # Tiles of 64 pixels begin at 0, 24, ..., 192, and the inner 32 of each count: 88 to 120 of the one at 72.
    assert network.ran == {0.0: 5, 1.0: 5}


@pytest.mark.parametrize("tile", [0, 24, 64])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_tiles_make_no_difference(tile, times):
    strengths = noise(70, 90)
    levels = (float(strengths.min()), 0.5, float(strengths.max()))
    image = picture(70, 90, 3, dtype=np.uint16)
    metadata = replace(METADATA, scale=float(times))
    whole, tiled = (
        enhance_images(Brightness(levels, times).regions(strengths), [image], metadata, SHAPE, tile=each)[0]
        for each in (0, tile)
    )
    assert abs(whole.astype(int) - tiled).max() <= 1


@pytest.mark.parametrize("scale", [Fraction(2), Fraction(4), Fraction(3, 2), Fraction(1, 2)])
def test_a_map_of_another_size_than_the_result_is_linear_in_between(scale):
    ramp = np.arange(24, dtype=np.float32)[None].repeat(12, 0) / 23
    found = Regions(ramp, (0.0, 1.0), []).cut_out(4, 6, 4, 8, scale, wrap=False)
    assert found.shape == (4 * scale, 8 * scale)
    columns = (np.arange(int(8 * scale)) + 0.5) / float(scale) - 0.5 + 6
    np.testing.assert_allclose(found, np.broadcast_to(columns / 23, found.shape), atol=1e-6)


def test_constant_parts_are_whole_numbers_at_any_scale():
    strengths = np.full((20, 30), 0.3, np.float32)
    strengths[:, 20:] = 0.7
    levels = tuple(np.array([0.3, 0.7], np.float32).tolist())
    found = Regions(strengths, levels, []).cut_out(0, 0, 20, 30, Fraction(4, 3), wrap=False)
    assert (found[:, :26] == 0).all()
    assert (found[:, 28:] == 1).all()


def test_a_map_of_a_seamless_tile_goes_on_beyond_its_ends():
    strengths = np.zeros((8, 8), np.float32)
    strengths[:, 0] = 1
    found = Regions(strengths, (0.0, 1.0), []).cut_out(0, 0, 8, 8, Fraction(2), wrap=True)
    np.testing.assert_allclose(found[4, [0, 1, 2, 15]], [0.75, 0.75, 0.25, 0.25])


def test_a_network_of_another_scale_is_an_input_error():
    strengths = noise(16, 16)
    regions = Brightness((0.0, 1.0), times=2).regions(strengths)
    with pytest.raises(InputError, match="made 32x32 pixels of 16x16; expected 16x16"):
        enhance_images(regions, [picture(16, 16, 3)], METADATA, SHAPE)


def test_memory_is_bounded_by_the_tile_not_by_the_image():
    def peak(height, width):
        strengths = np.linspace(0, 1, width, dtype=np.float32)[None].repeat(height, 0)
        image = np.full((height, width, 3), 200, np.uint8)
        regions = Brightness((0.0, 0.5, 1.0)).regions(strengths)
        tracemalloc.start()
        try:
            (result,) = enhance_images(regions, [image], METADATA, SHAPE, tile=300, overlap=0)
            return tracemalloc.get_traced_memory()[1] - result.nbytes
        finally:
            tracemalloc.stop()

    batch = 4 * 3 * 300**2
    # Four batches in flight and one in the making, the two that are mixed and one that is multiplied; levels and
    # weights, which are less than a batch more; seams of 16 pixels over the widest image.
    limit = 9 * batch + 4 * 3 * 16 * 2 * 2400
    for height, width in ((600, 600), (2400, 600), (600, 2400)):
        assert peak(height, width) < limit
