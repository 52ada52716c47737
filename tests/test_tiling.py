from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onnx_models import noise

from dni_runtime import InputError
from dni_runtime.tiling import cut_axis, padded_size, round_up, run_tiled, tile_shares, tile_weights

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


def stencil(reach, scale):
    """A network of exactly that reach: the mean over a square, zeros outside, then resampled by `scale`."""

    def run(x):
        padded = np.pad(x, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
        h, w = x.shape[2:]
        y = sum(padded[:, :, i : i + h, j : j + w] for i in {0, reach, 2 * reach} for j in {0, reach, 2 * reach})
        rows, columns = (np.arange(int(size * scale)) // scale for size in (h, w))
        return y[:, :, rows.astype(int)][:, :, :, columns.astype(int)]

    return run


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(1, 25),
    st.integers(1, 25),
    st.integers(0, 9),
    st.integers(0, 3),
    st.sampled_from(SCALES),
    st.sampled_from([1, 2, 4]),
)
@example(50, 50, 1, 1, 3, 0, Fraction(1), 1)  # tiles just large enough: fades follow each other closely
@example(90, 1, 17, 1, 0, 0, Fraction(1), 1)
def test_tiled_equals_untiled_where_the_overlap_covers_the_reach(
    height, width, kept_rows, kept_columns, overlap, slack, scale, multiple
):
    unit = np.lcm(scale.denominator, multiple).item()
    axes = []
    for size, kept in ((height, kept_rows), (width, kept_columns)):
        tile = 2 * round_up(overlap, unit) + unit * kept
        axes.append((tile, padded_size(size, tile, unit)))
    (tile_rows, rows), (tile_columns, columns) = axes
    x = noise(2, 1, rows, columns)
    run = stencil(max(0, overlap - slack), scale)
    tiled = run_tiled(
        run,
        x,
        cut_axis(rows, tile_rows, overlap, unit),
        cut_axis(columns, tile_columns, overlap, unit),
        scale,
    )
    np.testing.assert_allclose(tiled, run(x), atol=1e-5)  # sums of 9 pixels, weights rounded to float32


def test_the_comparison_above_can_fail():
    x = noise(1, 1, 90, 90)
    run = stencil(9, Fraction(1))
    cut = cut_axis(90, 40, 4, 1)
    assert abs(run_tiled(run, x, cut, cut, Fraction(1)) - run(x)).max() > 0.1


def test_seams_fade_where_the_overlap_is_too_small():
    """Tiles of different brightness: no step between neighbouring pixels larger than a fade's."""
    brightness = iter(range(100))
    cut = cut_axis(128, 48, 0, 1)
    assert cut.feather == 12

    def run(x):
        return np.full_like(x, next(brightness))

    row = run_tiled(run, noise(1, 1, 48, 128), cut_axis(48, 48, 0, 1), cut, Fraction(1))[0, 0, 0]
    assert row[0] == 0
    assert row[-1] == len(cut.starts) - 1
    assert abs(np.diff(row)).max() <= 1 / 12 + 1e-6


def test_all_tiles_have_one_shape():
    shapes = set()

    def run(x):
        shapes.add(x.shape)
        return x

    x = noise(1, 3, 130, 77)
    y = run_tiled(run, x, cut_axis(130, 40, 5, 1), cut_axis(77, 30, 5, 1), Fraction(1))
    assert shapes == {(1, 3, 40, 30)}
    np.testing.assert_allclose(y, x, atol=1e-6)


def test_one_tile_is_the_networks_own_result():
    x = noise(1, 3, 20, 20)
    cut = cut_axis(20, 20, 8, 1)
    assert run_tiled(lambda t: t, x, cut, cut, Fraction(1)) is not None
    np.testing.assert_array_equal(run_tiled(lambda t: t * 2, x, cut, cut, Fraction(1)), x * 2)


def test_progress_counts_tiles():
    calls = []
    cut = cut_axis(100, 40, 5, 1)
    run_tiled(lambda t: t, noise(1, 1, 100, 100), cut, cut, Fraction(1), lambda *args: calls.append(args))
    total = len(cut.starts) ** 2
    assert calls == [(done + 1, total) for done in range(total)]


def test_too_small_a_tile_names_the_smallest():
    with pytest.raises(InputError, match="tile 32 is too small for overlap 16; expected a tile of at least 36 pix"):
        cut_axis(100, 32, 15, 4)
    assert cut_axis(100, 36, 15, 4).tile == 36


def test_a_network_of_another_scale_is_an_input_error():
    cut = cut_axis(20, 20, 0, 1)
    with pytest.raises(InputError, match="the network made 20x20 pixels of 20x20; expected 40x40, scale 2"):
        run_tiled(lambda t: t, noise(1, 1, 20, 20), cut, cut, Fraction(2))
