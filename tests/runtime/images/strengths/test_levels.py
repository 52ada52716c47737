"""At which alphas a network runs for a map."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dni_runtime.images.strengths.levels import choose_levels


def harm(strengths, levels):
    values = strengths.astype(np.float64).ravel()
    above = np.clip(np.searchsorted(levels, values), 1, None)
    below, above = np.array(levels)[above - 1], np.array(levels)[above]
    return ((values - below) * (above - values)).mean()


@given(st.lists(st.floats(-2, 2, width=32), min_size=1, max_size=5), st.integers(5, 8))
def test_few_values_are_their_own_levels(values, most):
    strengths = np.array([values] * 3, np.float32)
    assert choose_levels(strengths, most) == tuple(sorted(set(strengths[0].tolist())))


@given(st.lists(st.sampled_from(np.linspace(0, 1, 12).tolist()), min_size=1, max_size=40), st.integers(2, 5))
def test_no_other_levels_do_less_harm(values, most):
    strengths = np.array([values], np.float32)
    levels = choose_levels(strengths, most)
    assert (levels[0], levels[-1]) == (strengths.min(), strengths.max())
    assert len(levels) <= most
    inner = sorted(set(strengths[0].tolist()))[1:-1]
    if len(levels) > 1:
        others = itertools.combinations(inner, min(len(inner), len(levels) - 2))
        best = min(harm(strengths, (levels[0], *other, levels[-1])) for other in others)
        assert harm(strengths, levels) <= best + 1e-9


def test_a_gradient_has_levels_at_equal_distances():
    gradient = np.linspace(0, 1, 700, dtype=np.float32)[None].repeat(300, 0)
    assert choose_levels(gradient, 5) == pytest.approx((0, 0.25, 0.5, 0.75, 1), abs=0.01)
    assert choose_levels(gradient, 2) == (0, 1)
    assert len(choose_levels(gradient, 50)) == pytest.approx(14, abs=1)  # 1 / 6 of the distance squared is harmless


def test_a_constant_part_beside_a_gradient_is_a_level():
    strengths = np.linspace(0, 1, 1000, dtype=np.float32)[None].repeat(600, 0)
    strengths[100:400, 100:500] = 0.3
    levels = choose_levels(strengths, 5)
    assert np.float32(0.3) in np.array(levels, np.float32)


def test_a_mask_with_a_smooth_border_needs_two():
    strengths = np.zeros((1000, 1000), np.float32)
    strengths[:, 500:] = 1
    strengths[:, 497:503] = np.linspace(0, 1, 6)
    assert choose_levels(strengths, 5) == (0, 1)
    strengths[:, 350:650] = np.linspace(0, 1, 300)
    assert len(choose_levels(strengths, 5)) == 5


def test_ends_that_few_pixels_have_are_levels():
    strengths = np.random.default_rng(0).uniform(0.2, 0.7, (3000, 2000)).astype(np.float32)
    strengths[1001, 777], strengths[2001, 1999] = 0, 1
    levels = choose_levels(strengths, 5)
    assert (levels[0], levels[-1]) == (0, 1)


def test_a_line_of_one_pixel_is_a_level_of_its_own_in_the_largest_map():
    strengths = np.zeros((2048, 2048), np.float32)
    strengths[:, 1000:] = 1
    strengths[1001], strengths[:, 1501] = 0.5, 0.25
    assert choose_levels(strengths, 5) == (0, 0.25, 0.5, 1)
    strengths[2001], strengths[:, 11] = 0.75, 0.125
    assert choose_levels(strengths, 5) == (0, 1)
