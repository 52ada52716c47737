"""How an image is cut into tiles that a network takes, and what it is padded to."""

import math
from fractions import Fraction

from dni_runtime.errors import InputError
from dni_runtime.metadata import Metadata

from .tiling import TILES_LIMIT, Cut, cut_axis, padded_size, round_up

Shape = tuple[int | None, int | None, int | None, int | None]

_TILE = 512
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
) -> tuple[Cut, Cut]:
    """How to cut an image of `height` x `width`, padding at its bottom and right end included.

    All tiles together cover the image, and each makes a whole number of the result's pixels. They begin at multiples of
    `grid`, and are longer by what makes the last one end where the image does. Raises InputError for arguments that
    make no sense, and where the padding or the number of tiles is beyond all measure.
    """
    for name, value in (("tile", tile), ("overlap", overlap)):
        if value is not None and value < 0:
            raise InputError(f"{name} is {value}; expected 0 or more pixels, or None for the automatic choice")
    unit = math.lcm(metadata.size_multiple, scale.denominator)
    grid = math.lcm(unit, grid)
    needed = [round_up(max(size, metadata.size_minimum), unit) for size in (height, width)]
    if tile is None:
        tile = max(_TILE, 4 * unit, 4 * (overlap or 0)) if math.prod(needed) > untiled_limit_pixels else 0
    reach = reach_of(metadata, overlap)
    least = 2 * round_up(reach, grid) + grid if grid > unit else 0  # the network's own multiple its user knows
    length = round_up(max(tile, metadata.size_minimum, least), grid)
    lengths = [
        fixed or (min(size, length + (size - length) % grid) if tile else size)
        for size, fixed in zip(needed, shape[2:], strict=True)
    ]
    _check_padding(height, width, lengths)
    cuts = []
    for size, padded, length, fixed in zip((height, width), needed, lengths, shape[2:], strict=True):
        if fixed is None:
            cuts.append(cut_axis(padded_size(padded, length, unit), length, reach, grid))
            continue
        if fixed % scale.denominator:
            raise InputError(
                f"the model takes {fixed} pixels only, of which its metadata's scale, {scale}, makes no whole number; "
                "use model(x)"
            )
        # Too small a fixed size is nothing that the caller can change: the overlap gives way.
        axis_reach = reach if overlap is not None else min(reach, fixed // 4 // unit * unit)
        cuts.append(cut_axis(padded_size(size, fixed, unit), fixed, axis_reach, unit))
    rows, columns = cuts
    if (count := len(rows.starts) * len(columns.starts)) > TILES_LIMIT:
        raise InputError(
            f"an image of {height}x{width} pixels would be cut into {count:,} tiles of {rows.tile}x{columns.tile}; "
            f"expected {TILES_LIMIT:,} at most: larger tiles, or another model"
        )
    return rows, columns


def is_tiled(
    height: int,
    width: int,
    metadata: Metadata,
    shape: Shape,
    tile: int | None,
    overlap: int | None,
    untiled_limit_pixels: int,
    *,
    wrap: bool = False,
) -> bool:
    """Whether an image is cut into more tiles than one. Raises InputError as `plan_tiles` does."""
    scale = metadata.ratio
    if scale is None:
        return False  # it does not run at all
    margin = margin_of(height, width, metadata, scale, overlap) if wrap else 0
    padded = (height + 2 * margin, width + 2 * margin)
    rows, columns = plan_tiles(*padded, metadata, shape, scale, tile, overlap, untiled_limit_pixels)
    return len(rows.starts) * len(columns.starts) > 1


def reach_of(metadata: Metadata, overlap: int | None) -> int:
    """How far the network looks, in input pixels, as far as that is worth computing; `overlap` where it is given."""
    if overlap is not None:
        return overlap
    return _OVERLAP if metadata.overlap is None else min(metadata.overlap, _OVERLAP_LIMIT)


def margin_of(height: int, width: int, metadata: Metadata, scale: Fraction, overlap: int | None) -> int:
    """How many of its own pixels the network sees beyond each end of a seamless tile: what it looks at, as tiles do."""
    if height % scale.denominator or width % scale.denominator:
        raise InputError(
            f"an image of {height}x{width} pixels has no whole number of them at scale {scale}, so its ends cannot "
            f"meet; expected multiples of {scale.denominator}, or no wrap"
        )
    return round_up(reach_of(metadata, overlap), math.lcm(metadata.size_multiple, scale.denominator))


def _check_padding(height: int, width: int, lengths: list[int]) -> None:
    limit = max(PADDED_LIMIT_PIXELS, _PADDED_LIMIT_TIMES * height * width)
    if math.prod(lengths) > limit:
        raise InputError(
            f"an image of {height}x{width} pixels would be padded to {lengths[0]}x{lengths[1]}, as the model takes no "
            f"smaller or no other ones; expected {limit:,} pixels at most: smaller tiles, or another model"
        )
