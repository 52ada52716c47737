import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dni_runtime import InputError, Metadata
from dni_runtime.images.plans.plan_tiles import plan_tiles
from dni_runtime.images.tiling import cut_axis, padded_size, tile_shares, tile_weights
from dni_runtime.sizes import round_up

SCALES = [Fraction(1), Fraction(2), Fraction(4), Fraction(1, 2), Fraction(3, 4), Fraction(3, 2)]


@st.composite
def cuts(draw):
    """A cut of one axis and the scale that it is for."""
    scale = draw(st.sampled_from(SCALES))
    unit = scale.denominator * draw(st.sampled_from([1, 2, 3, 8]))
    overlap = draw(st.integers(0, 30))
    tile = 2 * round_up(overlap, unit) + unit * draw(st.integers(1, 20))
    size = padded_size(draw(st.integers(1, 300)), tile, unit)
    return cut_axis(size, tile, overlap, unit), unit, scale


@given(cuts())
def test_cuts_cover_the_axis_on_the_grid(drawn):
    cut, unit, scale = drawn
    assert cut.starts[0] == 0
    assert all(start % unit == 0 and (start * scale).denominator == 1 for start in cut.starts)
    assert all(a < b for a, b in zip(cut.starts, cut.starts[1:], strict=False))


@given(cuts())
def test_weights_are_a_partition_of_unity_without_the_thrown_away_pixels(drawn):
    cut, _, scale = drawn
    total = np.zeros(int((cut.starts[-1] + cut.tile) * scale))
    thrown_away = int(cut.overlap * scale)
    for index, (start, weights) in enumerate(zip(cut.starts, tile_weights(cut, scale), strict=True)):
        assert weights.min() >= 0
        if index > 0:
            assert not weights[:thrown_away].any()
        if index < len(cut.starts) - 1:
            assert not weights[len(weights) - thrown_away :].any()
        total[int(start * scale) : int(start * scale) + len(weights)] += weights
    np.testing.assert_allclose(total, 1, atol=1e-6)


@given(cuts())
def test_shares_are_the_weights_that_are_not_0(drawn):
    cut, _, scale = drawn
    shares = tile_shares(cut, scale)
    for share, start, weights in zip(shares, cut.starts, tile_weights(cut, scale), strict=True):
        assert (share.start, share.offset) == (start, start * scale)
        padded = np.zeros_like(weights)
        padded[share.first - share.offset : share.stop - share.offset] = share.weights
        np.testing.assert_array_equal(padded, weights)
        assert share.weights.all()
    assert [share.done for share in shares] == [*(share.first for share in shares[1:]), shares[-1].stop]
    # Seams relies on both: tiles stop in order, and what two of them share is as wide everywhere.
    assert all(a.stop < b.stop for a, b in pairwise(shares))
    assert {a.stop - b.first for a, b in pairwise(shares)} <= {int(cut.feather * scale)}


@given(cuts())
def test_a_fade_is_linear_and_at_most_16_input_pixels_long(drawn):
    cut, _, scale = drawn
    assert 0 <= cut.feather <= 16
    if len(cut.starts) == 2 and cut.feather:
        fade = tile_weights(cut, scale)[1]
        rising = fade[(fade > 0) & (fade < 1)]
        np.testing.assert_allclose(np.diff(rising), 1 / int(cut.feather * scale), rtol=1e-3)


def test_too_small_a_tile_names_the_smallest():
    with pytest.raises(InputError, match="tile 32 is too small for overlap 15; expected a tile of at least 36 pix"):
        cut_axis(100, 32, 15, 4)
    assert cut_axis(100, 36, 15, 4).tile == 36


@given(
    st.integers(1025, 4000),
    st.integers(1025, 4000),
    st.integers(0, 64),
    st.sampled_from((1, 2, 4, 7, 16, 64)),
    st.sampled_from((1, 8, 32)),
)
def test_even_tiles_are_as_many_and_no_larger(height: int, width: int, overlap: int, multiple: int, grid: int):
    metadata = Metadata(scale=2.0, size_multiple=multiple, overlap=overlap)
    arguments = (height, width, metadata, (1, 3, None, None), Fraction(2), None, None, 2**20)
    plain, even = (plan_tiles(*arguments, grid=grid, even=even) for even in (False, True))
    for size, before, after in zip((height, width), plain, even, strict=True):
        assert len(after.starts) == len(before.starts)
        assert after.tile <= before.tile
        assert after.overlap == before.overlap
        assert after.starts[-1] + after.tile >= size
        assert all(start % math.lcm(multiple, grid) == 0 for start in after.starts)


def test_the_last_even_tiles_share_little():
    metadata = Metadata(scale=2.0, overlap=18)
    rows, columns = plan_tiles(1224, 1632, metadata, (1, 3, None, None), Fraction(2), None, None, 2**20, even=True)
    assert (rows.tile, columns.tile) == (448, 448)
    given = plan_tiles(1224, 1632, metadata, (1, 3, None, None), Fraction(2), 500, None, 2**20, even=True)
    assert [cut.tile for cut in given] == [500, 500]  # what somebody asks for is what they get
