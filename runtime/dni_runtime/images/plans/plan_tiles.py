"""How an image is cut into tiles that a network takes, and what it is padded to."""

import math
from fractions import Fraction

from dni_runtime.errors import InputError
from dni_runtime.images.tiling import TILES_LIMIT, Cut, cut_axis, padded_size
from dni_runtime.metadata import Metadata
from dni_runtime.sizes import Sizes, round_up

Shape = tuple[int | None, int | None, int | None, int | None]

_TILE = 512
_LARGEST_TILE = 1024
# Even tiles are as many as those of that length, and no longer than the image needs, in steps of so many pixels: images
# of all sizes have tiles of few, as engines prepare for each. Else the last two of an axis share most of what they
# compute: with an overlap of 18 it was 1.58 times an image of 2 megapixels, and is 1.21.
_STEP = 32
_OVERLAP = 32
_OVERLAP_LIMIT = 64
# What a model asks for is an image's to pay: a small one is padded to so many pixels, 200 MB of float32, a large one to
# so many times its own. All networks that we know take far less, but for those of a large fixed size.
PADDED_LIMIT_PIXELS = 2**24
_PADDED_LIMIT_TIMES = 4


def plan_tiles(
    height: int,
    width: int,
    metadata: Metadata,
    shape: Shape,
    scale: Fraction,
    tile: int | None,
    overlap: int | None,
    untiled_limit_pixels: int,
    *,
    grid: int = 1,
    even: bool = False,
) -> tuple[Cut, Cut]:
    """How to cut an image of `height` x `width`, padding at its bottom and right end included.

    All tiles together cover the image, and each makes a whole number of the result's pixels. They begin at multiples of
    `grid`, and are longer by what makes the last one end where the image does. For a network of square images they are
    square: an image that runs as a whole is padded to one, of a large one every tile is. `even`: tiles whose length
    nobody gives are as short as leaves them as many. Raises InputError for arguments that make no sense, and where the
    padding or the number of tiles is beyond all measure.
    """
    for name, value in (("tile", tile), ("overlap", overlap)):
        if value is not None and value < 0:
            raise InputError(f"{name} is {value}; expected 0 or more pixels, or None for the automatic choice")
    unit = math.lcm(metadata.size_multiple, scale.denominator)
    grid = math.lcm(unit, grid, metadata.size_grid)
    sizes = Sizes(unit, metadata.size_minimum, metadata.size_square)
    needed = sizes.fit(height, width)
    even = even and tile is None and not metadata.size_square
    if tile is None:
        tile = _tile(unit, overlap) if math.prod(needed) > untiled_limit_pixels else 0
    reach = round_up(reach_of(metadata, overlap), scale.denominator)
    least = 2 * round_up(reach, grid) + grid if grid > unit else 0  # the network's own multiple its user knows
    length = round_up(max(tile, metadata.size_minimum, least), grid)
    lengths = [
        fixed or (min(size, length + (size - length) % grid) if tile else size)
        for size, fixed in zip(needed, shape[2:], strict=True)
    ]
    _check_padding(height, width, lengths)
    is_guess = overlap is None and metadata.overlap is None
    cuts = []
    for size, length, fixed in zip((height, width), lengths, shape[2:], strict=True):
        # What is a guess gives way to small tiles, and all but a caller's word to a size that no caller can change.
        gives_way = is_guess or (fixed is not None and overlap is None)
        axis_reach = _in_tiles_of(length, reach, unit, scale) if gives_way else reach
        if fixed is None:
            padded = padded_size(sizes.side(size), length, unit)
            if is_guess and length == unit < padded:
                raise InputError(
                    f"tile {length} is the smallest that the model takes, and neighbours would share nothing: their "
                    f"ends would show; expected a tile of at least {2 * unit} pixels, or overlap 0"
                )
            length = _evened(padded, length, axis_reach, grid) if even else length
            cuts.append(cut_axis(padded, length, axis_reach, grid))
            continue
        if fixed % scale.denominator:
            raise InputError(
                f"the model takes {fixed} pixels only, of which its metadata's scale, {scale}, makes no whole number; "
                "use model(x)"
            )
        cuts.append(cut_axis(padded_size(size, fixed, unit), fixed, axis_reach, unit))
    rows, columns = cuts
    if (count := len(rows.starts) * len(columns.starts)) > TILES_LIMIT:
        raise InputError(
            f"an image of {height}x{width} pixels would be cut into {count:,} tiles of {rows.tile}x{columns.tile}; "
            f"expected {TILES_LIMIT:,} at most: larger tiles, or another model"
        )
    return rows, columns


def reach_of(metadata: Metadata, overlap: int | None) -> int:
    """How far the network looks, in input pixels, as far as that is worth computing; `overlap` where it is given."""
    if overlap is not None:
        return overlap
    return _OVERLAP if metadata.overlap is None else min(metadata.overlap, _OVERLAP_LIMIT)


def _tile(unit: int, overlap: int | None) -> int:
    """The length of tiles, where nobody says: of networks that take large sizes alone what is worth its overlap."""
    return max(_TILE, min(4 * unit, _LARGEST_TILE), 2 * unit, 4 * (overlap or 0))


def _evened(size: int, length: int, overlap: int, grid: int) -> int:
    """The smallest length, by whole steps below `length`, at which an axis has no more tiles."""
    count, step = len(cut_axis(size, length, overlap, grid).starts), math.lcm(grid, _STEP)
    needed = -(-(size + (count - 1) * 2 * overlap) // count)
    for shorter in range(length - max(0, length - needed) // step * step, length, step):
        if len(cut_axis(size, shorter, overlap, grid).starts) == count:
            return shorter
    return length


def _in_tiles_of(length: int, reach: int, unit: int, scale: Fraction) -> int:
    """As much of `reach` as leaves tiles of that length half of what they do not share for the grid's sake."""
    return max(0, min(reach, (length - unit) // 4 // scale.denominator * scale.denominator))


def _check_padding(height: int, width: int, lengths: list[int]) -> None:
    limit = max(PADDED_LIMIT_PIXELS, _PADDED_LIMIT_TIMES * height * width)
    if math.prod(lengths) > limit:
        raise InputError(
            f"an image of {height}x{width} pixels would be padded to {lengths[0]}x{lengths[1]}, as the model takes no "
            f"smaller or no other ones; expected {limit:,} pixels at most: smaller tiles, or another model"
        )
