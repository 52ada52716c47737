"""How an image is cut into strips of tiles, and where in memory each pixel of a tile is.

Places are counted in lines: the channels of one pixel that lie next to each other.
"""

from dataclasses import dataclass

from .operators import Operators

TAPS, TILE = 3, 4
SPAN = TILE + TAPS - 1
# Of a strip, transformed: it stays in the caches, and takes little memory however large the image is.
_STRIP_BYTES = 3_000_000


@dataclass(frozen=True, slots=True)
class Tiling:
    """Numbers of a call, as values of the graph. Strips are of the same size: the last begins where it has to.

    batch:          images.
    height, width:  of the result; the image is by 2 higher and wider.
    rows, columns:  of tiles in a strip.
    strips:         how many.
    last:           the first row of the result's pixels that the last strip may begin with.
    """

    batch: str
    height: str
    width: str
    rows: str
    columns: str
    strips: str
    last: str


def tiling(ops: Operators, x: str, size: str, tiles: str, most_channels: int) -> Tiling:
    """How to cut `x` (N, C, H, W); `size`: height and width of the result, `tiles`: rows and columns of its tiles."""
    batch = ops.add("Shape", [x], start=0, end=1)
    (height, width), (tile_rows, columns) = ops.pair(size), ops.pair(tiles)
    tiles_at_once = ops.ints(_STRIP_BYTES // (4 * SPAN**2 * most_channels))
    most = ops.add("Max", [ops.divided(tiles_at_once, ops.times(columns, batch)), ops.ints(1)])
    strips = ops.divided(tile_rows, most, up=True)
    rows = ops.divided(tile_rows, strips, up=True)
    last = ops.add("Max", [ops.add("Sub", [height, ops.times(rows, TILE)]), ops.ints(0)])
    return Tiling(batch, height, width, rows, columns, strips, last)


def starts(ops: Operators, cut: Tiling) -> str:
    """The place of the first pixel of each strip, beside that of the first one: (strips,)."""
    first = ops.add("Min", [ops.times(ops.range(cut.strips), cut.rows, TILE), cut.last])
    return ops.times(first, ops.plus(cut.width, TAPS - 1))


def spans(ops: Operators, cut: Tiling, blocks: int) -> str:
    """Where in the image the 6 x 6 pixels of each tile of the first strip are: (N, 6, 6, blocks, rows, columns).

    Tiles that reach beyond the image have its last pixels again.
    """
    row_size, column_size = (ops.plus(size, TAPS - 1) for size in (cut.width, cut.height))
    places = []
    for count, size in ((cut.rows, column_size), (cut.columns, row_size)):
        within = ops.plus(ops.times(ops.range(count), TILE), ops.count(SPAN, -1, 1))
        places.append(ops.add("Min", [within, ops.plus(size, -1)]))
    lines = ops.reshaped(ops.times(places[0], row_size), SPAN, 1, 1, -1, 1)
    plane = ops.times(row_size, column_size)
    across = ops.plus(ops.reshaped(places[1], SPAN, 1, 1, -1), ops.times(ops.count(blocks, -1, 1, 1), plane))
    images = ops.reshaped(ops.times(ops.range(cut.batch), plane, blocks), -1, 1, 1, 1, 1, 1)
    return ops.plus(images, ops.plus(lines, across))


def places(ops: Operators, cut: Tiling, blocks: int) -> str:
    """Where in the tiles (strips, N, 16, blocks, rows, columns) the result's pixels are: (N, blocks, height, width)."""
    plane = ops.times(cut.rows, cut.columns)  # of one pixel of all tiles of a strip, in one block
    pixel = ops.times(plane, blocks)
    image = ops.times(pixel, TILE**2)
    y, x, four = ops.range(cut.height), ops.range(cut.width), ops.ints(TILE)
    pixel_rows = ops.times(cut.rows, TILE)
    strip = ops.divided(y, pixel_rows)
    inside = ops.add("Sub", [y, ops.add("Min", [ops.times(strip, pixel_rows), cut.last])])
    row = ops.times(ops.add("Mod", [inside, four]), TILE, pixel)
    row = ops.plus(ops.times(strip, image, cut.batch), ops.times(ops.divided(inside, TILE), cut.columns), row)
    column = ops.plus(ops.times(ops.add("Mod", [x, four]), pixel), ops.divided(x, TILE))
    found = ops.plus(ops.times(ops.count(blocks, -1, 1, 1), plane), ops.plus(ops.reshaped(row, -1, 1), column))
    images = ops.reshaped(ops.times(ops.range(cut.batch), image), -1, 1, 1, 1)
    return ops.plus(images, found)


def side_by_side(ops: Operators, batch: str, size: str, blocks: int) -> str:
    """Where in four results (N, 2, 2, blocks, height, width) the pixels are that they make together.

    (N, blocks, 2 height, 2 width); `size`: height and width.
    """
    height, width = ops.pair(size)
    plane = ops.times(height, width)
    part = ops.times(plane, blocks)
    y, x, two = ops.range(ops.times(height, 2)), ops.range(ops.times(width, 2)), ops.ints(2)
    row = ops.plus(ops.times(ops.add("Mod", [y, two]), part, 2), ops.times(ops.divided(y, 2), width))
    column = ops.plus(ops.times(ops.add("Mod", [x, two]), part), ops.divided(x, 2))
    found = ops.plus(ops.times(ops.count(blocks, -1, 1, 1), plane), ops.plus(ops.reshaped(row, -1, 1), column))
    images = ops.reshaped(ops.times(ops.range(batch), part, 4), -1, 1, 1, 1)
    return ops.plus(images, found)
