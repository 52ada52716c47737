from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onnx_models import noise

from dni_runtime.images.seams import Seams
from dni_runtime.images.tiling import cut_axis, padded_size, round_up, tile_weights


def cut(size, kept, overlap, unit):
    tile = 2 * round_up(overlap, unit) + unit * kept
    return cut_axis(padded_size(size, tile, unit), tile, overlap, unit)


def sum_of_tiles(tiles, rows, columns, scale):
    """All tiles, weighted, added to one large array."""
    height, width = (int((axis.starts[-1] + axis.tile) * scale) for axis in (rows, columns))
    total = np.zeros((*tiles[0].shape[:2], height, width), np.float32)
    places = [
        (int(top * scale), int(left * scale), down[:, None] * across)
        for top, down in zip(rows.starts, tile_weights(rows, scale), strict=True)
        for left, across in zip(columns.starts, tile_weights(columns, scale), strict=True)
    ]
    for tile, (top, left, weights) in zip(tiles, places, strict=True):
        total[:, :, top : top + tile.shape[2], left : left + tile.shape[3]] += tile * weights
    return total


CUTS = (
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(0, 9),
    st.integers(1, 3),
    st.sampled_from([Fraction(1), Fraction(2), Fraction(1, 2), Fraction(3, 2)]),
)
CLOSE_FADES = ((90, 90), (20, 20), 0, 1, Fraction(1))  # the last fade begins half a tile after the one before


def cuts(sizes, kept, overlap, multiple, scale):
    unit = scale.denominator * multiple
    return [cut(size, k, overlap, unit) for size, k in zip(sizes, kept, strict=True)]


def noisy_tiles(rows, columns, scale):
    """Every tile is other noise, so that nothing cancels or agrees by chance: (tiles, 2, 1, h, w), 0..1."""
    count, shape = len(rows.starts) * len(columns.starts), (int(rows.tile * scale), int(columns.tile * scale))
    return noise(2 * count, 1, *shape).reshape(count, 2, 1, *shape)


def joined(tiles, rows, columns, scale):
    """The tiles through Seams, which gives back every pixel once."""
    seams = Seams(rows, columns, scale)
    height, width = (int((axis.starts[-1] + axis.tile) * scale) for axis in (rows, columns))
    result = np.zeros((*tiles.shape[1:3], height, width), tiles.dtype)
    times = np.zeros((height, width), int)
    for y, (row, column) in zip(tiles, seams.tiles, strict=True):
        finished = seams.add(y, row, column)
        assert finished.dtype == tiles.dtype
        area = slice(row.first, row.done), slice(column.first, column.done)
        result[:, :, *area] = finished
        times[area] += 1
    assert (times == 1).all()
    return result


@given(*CUTS)
@example(*CLOSE_FADES)
@example((16, 16), (5, 5), 3, 1, Fraction(4))
def test_the_same_to_the_last_bit_as_adding_all_tiles_to_one_array(sizes, kept, overlap, multiple, scale):
    rows, columns = cuts(sizes, kept, overlap, multiple, scale)
    tiles = noisy_tiles(rows, columns, scale) - np.float32(0.5)  # negative here and there
    expected = sum_of_tiles(tiles, rows, columns, scale)
    np.testing.assert_array_equal(joined(tiles, rows, columns, scale), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@given(*CUTS)
@example(*CLOSE_FADES)
def test_integers_are_rounded_once(dtype, sizes, kept, overlap, multiple, scale):
    rows, columns = cuts(sizes, kept, overlap, multiple, scale)
    values = noisy_tiles(rows, columns, scale) * np.float32(np.iinfo(dtype).max)
    integers = np.rint(values).astype(dtype)
    expected = np.rint(sum_of_tiles(integers, rows, columns, scale))
    exact = np.rint(sum_of_tiles(values, rows, columns, scale))
    # As interleaved images lie in memory.
    interleaved = np.ascontiguousarray(integers.transpose(0, 1, 3, 4, 2)).transpose(0, 1, 4, 2, 3)
    result = joined(interleaved, rows, columns, scale)
    np.testing.assert_array_equal(result, expected)
    assert abs(result - exact).max() <= 1  # of rounding before, half a step, and after


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_largest_integer_does_not_overflow(dtype):
    rows = columns = cut(400, 30, 0, 1)
    tiles = np.full((len(rows.starts) ** 2, 1, 1, 3 * rows.tile, 3 * columns.tile), np.iinfo(dtype).max)
    assert (joined(tiles.astype(dtype), rows, columns, Fraction(3)) == np.iinfo(dtype).max).all()
