from fractions import Fraction

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from onnx_models import noise

from dni_runtime.seams import Seams
from dni_runtime.tiling import cut_axis, padded_size, round_up, tile_weights


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


@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(0, 9),
    st.integers(1, 3),
    st.sampled_from([Fraction(1), Fraction(2), Fraction(1, 2), Fraction(3, 2)]),
)
@example((90, 90), (20, 20), 0, 1, Fraction(1))  # the last fade begins half a tile after the one before
@example((16, 16), (5, 5), 3, 1, Fraction(4))
def test_the_same_to_the_last_bit_as_adding_all_tiles_to_one_array(sizes, kept, overlap, multiple, scale):
    unit = scale.denominator * multiple
    rows, columns = (cut(size, k, overlap, unit) for size, k in zip(sizes, kept, strict=True))
    seams = Seams(rows, columns, scale)
    # Every tile is other noise, and negative here and there: nothing cancels or agrees by chance.
    shape = int(rows.tile * scale), int(columns.tile * scale)
    many = noise(2 * len(seams.tiles), 1, *shape).reshape(len(seams.tiles), 2, 1, *shape) - np.float32(0.5)
    expected = sum_of_tiles(many, rows, columns, scale)

    result = np.full_like(expected, np.nan)
    for y, (row, column) in zip(many, seams.tiles, strict=True):
        finished = seams.add(y, row, column)
        area = result[:, :, row.first : row.done, column.first : column.done]
        assert np.isnan(area).all()
        area[...] = finished
    np.testing.assert_array_equal(result, expected)
