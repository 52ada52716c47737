"""Each measure on pictures whose fault is known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.color import deltaE_ciede2000, rgb2lab

from dni_exporters.verdict import measures
from dni_exporters.verdict.photographs import built_in

COFFEE = next(photograph for photograph in built_in() if photograph.name == "coffee").window(96, 96)


def test_the_blur_is_a_gaussian_of_pixels_mirrored_at_the_borders():
    for sigma in (measures.BROAD_PX, measures.FINE_PX):
        assert measures._blurred(COFFEE, sigma) == pytest.approx(gaussian_filter(COFFEE, (sigma, sigma, 0)), abs=1e-6)
    small = COFFEE[:5, :9]  # mirrored more than once
    assert measures._blurred(small, 8.0) == pytest.approx(gaussian_filter(small, (8, 8, 0)), abs=1e-6)


def test_colour_shift_is_the_mean_difference_of_the_blurred_pictures():
    pinkish = (COFFEE * (1.0, 0.8, 1.0)).astype(np.float32)
    blurred = [rgb2lab(gaussian_filter(each, (8, 8, 0))) for each in (COFFEE, pinkish)]
    # Every fourth pixel is looked at, which a blur of eight makes no difference to.
    assert measures.colour_shift(COFFEE, pinkish) == pytest.approx(deltaE_ciede2000(*blurred).mean(), rel=0.01)
    assert measures.colour_shift(COFFEE, COFFEE) == 0


def test_noise_is_no_shift_of_colour_and_a_tint_is_no_detail():
    noise = np.random.default_rng(0).normal(0, 0.04, COFFEE.shape).astype(np.float32)
    noisy, tinted = (COFFEE + noise).clip(0, 1), (COFFEE * 0.9).astype(np.float32)
    assert measures.colour_shift(noisy, COFFEE) < 0.5 < 3 < measures.colour_shift(tinted, COFFEE)
    assert measures.detail(noisy) > 1.1 * measures.detail(COFFEE)
    assert measures.detail(tinted) == pytest.approx(0.9 * measures.detail(COFFEE))


def test_contrast_and_detail_of_a_picture_with_a_known_deviation():
    board = np.indices((32, 32)).sum(0)[..., None] % 2 * np.float32(0.5)  # all of it is fine
    assert measures.contrast(board) == pytest.approx(0.25)
    assert measures.detail(board) == pytest.approx(0.25, rel=0.02)


@pytest.mark.parametrize(
    ("value", "ends", "wanted"),
    [
        (0.15, (0.1, 0.2), 1.0),
        (0.3, (0.1, 0.2), 1.5),
        (0.05, (0.2, 0.1), 0.5),
        (0.0, (0.0, 0.0), 1.0),
        (0.0, (0.2, 0.2), measures.FLAT / 0.2),
        (0.2, (0.0, 0.0), 0.2 / measures.FLAT),
    ],
)
def test_beside_the_ends(value: float, ends: tuple[float, ...], wanted: float):
    assert measures.beside(value, ends) == pytest.approx(wanted)


def test_psnr_has_a_top():
    assert measures.psnr_db(COFFEE, COFFEE) == 100
    assert measures.psnr_db(COFFEE, COFFEE + np.float32(0.1)) == pytest.approx(20, abs=1e-3)


def test_a_mix_is_what_its_shares_say():
    a, b, c = (np.full((2, 2, 1), value, np.float32) for value in (0.0, 0.5, 1.0))
    assert measures.mix([a, b, c], (0.5, 0.25, 0.25)) == pytest.approx(np.full((2, 2, 1), 0.375))
