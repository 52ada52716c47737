from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onnx_models import noise

from dni_runtime import InputError
from dni_runtime.images.run_tiled import run_tiled
from dni_runtime.images.tiling import cut_axis, padded_size
from dni_runtime.sizes import round_up

SCALES = [Fraction(1), Fraction(2), Fraction(4), Fraction(1, 2), Fraction(3, 4), Fraction(3, 2)]


def tile_array(run, x, rows, columns, scale, progress=None, tiles_per_batch=1):
    """`run_tiled` out of one array into another; every pixel has to be written once."""
    written = []

    def read(top, left):
        return x[:, :, top : top + rows.tile, left : left + columns.tile].copy()

    def write(pixels, top, left):
        written.append((pixels.copy(), top, left))

    run_tiled(
        lambda tiles, _: run(tiles),
        read,
        write,
        rows,
        columns,
        scale,
        tiles_per_batch=tiles_per_batch,
        progress=progress,
    )
    height, width = (int(size * scale) for size in x.shape[2:])
    result = np.zeros((*written[0][0].shape[:2], height, width), np.float32)
    times = np.zeros((height, width), int)
    for pixels, top, left in written:
        area = slice(top, top + pixels.shape[2]), slice(left, left + pixels.shape[3])
        result[:, :, *area] = pixels
        times[area] += 1
    assert (times == 1).all()
    return result


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
    run = stencil(max(0, overlap - slack), scale)
    overlap = round_up(overlap, scale.denominator)
    axes = []
    for size, kept in ((height, kept_rows), (width, kept_columns)):
        tile = 2 * round_up(overlap, unit) + unit * kept
        axes.append((tile, padded_size(size, tile, unit)))
    (tile_rows, rows), (tile_columns, columns) = axes
    x = noise(2, 1, rows, columns)
    tiled = tile_array(
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
    assert abs(tile_array(run, x, cut, cut, Fraction(1)) - run(x)).max() > 0.1


def test_seams_fade_where_the_overlap_is_too_small():
    """Tiles of different brightness: no step between neighbouring pixels larger than a fade's."""
    brightness = iter(range(100))
    cut = cut_axis(128, 48, 0, 1)
    assert cut.feather == 12

    def run(x):
        return np.full_like(x, next(brightness))

    row = tile_array(run, noise(1, 1, 48, 128), cut_axis(48, 48, 0, 1), cut, Fraction(1))[0, 0, 0]
    assert row[0] == 0
    assert row[-1] == len(cut.starts) - 1
    assert abs(np.diff(row)).max() <= 1 / 12 + 1e-6


def test_all_tiles_have_one_shape():
    shapes = set()

    def run(x):
        shapes.add(x.shape)
        return x

    x = noise(1, 3, 130, 77)
    y = tile_array(run, x, cut_axis(130, 40, 5, 1), cut_axis(77, 30, 5, 1), Fraction(1))
    assert shapes == {(1, 3, 40, 30)}
    np.testing.assert_allclose(y, x, atol=1e-6)


def test_one_tile_is_the_networks_own_result():
    x = noise(1, 3, 20, 20)
    cut = cut_axis(20, 20, 8, 1)
    np.testing.assert_array_equal(tile_array(lambda t: t * 2, x, cut, cut, Fraction(1)), x * 2)


def test_progress_counts_tiles():
    calls = []
    cut = cut_axis(100, 40, 5, 1)
    tile_array(lambda t: t, noise(1, 1, 100, 100), cut, cut, Fraction(1), lambda *args: calls.append(args))
    total = len(cut.starts) ** 2
    assert calls == [(done + 1, total) for done in range(total)]


def test_a_network_of_another_scale_is_an_input_error():
    cut = cut_axis(20, 20, 0, 1)
    with pytest.raises(InputError, match="the network made 20x20 pixels of 20x20; expected 40x40, scale 2"):
        tile_array(lambda t: t, noise(1, 1, 20, 20), cut, cut, Fraction(2))


@pytest.mark.parametrize("tiles_per_batch", [2, 3, 5, 16, 100])
def test_batches_give_the_result_of_single_tiles(tiles_per_batch):
    x = noise(2, 1, 80, 90)
    rows, columns = cut_axis(80, 32, 4, 1), cut_axis(90, 30, 4, 1)
    lengths, calls = [], []

    def run(t):
        lengths.append(len(t))
        return stencil(4, Fraction(2))(t)

    batched = tile_array(run, x, rows, columns, Fraction(2), lambda *args: calls.append(args), tiles_per_batch)
    total = len(rows.starts) * len(columns.starts)
    assert total % 3
    assert max(lengths) == 2 * min(tiles_per_batch, total)
    assert sum(lengths) == 2 * total
    assert calls == [(done + 1, total) for done in range(total)]
    np.testing.assert_array_equal(batched, tile_array(stencil(4, Fraction(2)), x, rows, columns, Fraction(2)))
