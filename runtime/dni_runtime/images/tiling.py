"""An image too large for one run, cut into tiles of one shape and joined without visible seams.

Every tile's outermost `overlap` pixels lack part of what the network looks at, and are thrown away (not at
the image's own borders). What is left of neighbouring tiles still overlaps a little; there one fades into the
other. So the result equals the untiled one where `overlap` covers the network's reach, and shows no line
where it does not.
"""

import functools
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dni_runtime.errors import InputError
from dni_runtime.sizes import round_up

_FEATHER = 16
TILES_LIMIT = 2**20
"""Of an image; each is a call of the network."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How one axis is cut, in input pixels.

    tile:      length of every tile; positions and lengths times the scale are whole numbers.
    starts:    first pixel of every tile, ascending; the last tile ends where the image ends.
    overlap:   pixels thrown away at each inner end of a tile, or more.
    feather:   length over which neighbours fade into each other, 0 for a hard edge.
    """

    tile: int
    starts: tuple[int, ...]
    overlap: int
    feather: int


@dataclass(frozen=True, slots=True)
class Share:
    """What one tile gives to the result along one axis; in output pixels but for `start`.

    start:        the tile's first input pixel.
    offset:       the tile's first output pixel.
    first, stop:  the pixels that it adds to.
    done:         the first of them that the next tile adds to as well; `stop` where there is none.
    weights:      of first..stop, float32, over all tiles 1 for every pixel.
    """

    start: int
    offset: int
    first: int
    done: int
    stop: int
    weights: npt.NDArray[np.float32]


def padded_size(size: int, tile: int, unit: int) -> int:
    """The smallest length, `size` or more, that tiles of `tile` on a grid of `unit` fill exactly."""
    return tile + round_up(max(0, size - tile), unit)


def cut_axis(size: int, tile: int, overlap: int, unit: int) -> Cut:
    """Cut an axis of `size` pixels (a `padded_size`) into tiles that start at multiples of `unit`.

    `overlap`: times the scale a whole number. Neighbours share it twice, and a fade, or more to the next place on the
    grid. Raises InputError if a tile would have too little left after its overlap, or there would be too many.
    """
    if size == tile:
        return Cut(tile, (0,), 0, 0)
    kept = tile - 2 * overlap
    if kept < unit:
        raise InputError(
            f"tile {tile} is too small for overlap {overlap}; expected a tile of at least "
            f"{round_up(2 * overlap + unit, unit)} pixels, or a smaller overlap"
        )
    stride = max(unit, (kept - min(_FEATHER, kept // 4)) // unit * unit)
    before_last = range(0, size - tile, stride)
    if len(before_last) >= TILES_LIMIT:
        raise InputError(f"{size} pixels would be cut into {len(before_last) + 1:,} tiles of {tile}; use larger tiles")
    starts = (*before_last, size - tile)
    return Cut(tile, starts, overlap, min(_FEATHER, kept - stride))


def tile_weights(cut: Cut, scale: Fraction) -> list[npt.NDArray[np.float32]]:
    """The weight of every output pixel of each tile along one axis, float32 (tile * scale,).

    Over all tiles the weights of a pixel sum to 1, and those of thrown-away pixels are 0.
    """
    length = int(cut.tile * scale)
    starts = [int(start * scale) for start in cut.starts]
    feather = int(cut.feather * scale)
    ramp_starts = [(a + b + length - feather) // 2 for a, b in pairwise(starts)]
    weights = []
    for index, start in enumerate(starts):
        pixels = np.arange(start, start + length) + 0.5
        # Each tile takes what the fade before it lets in, less what the fade after it lets out again.
        # The fades are copies of one ramp, ever further right, so the sum telescopes to 1 and no weight is
        # negative, however closely they follow each other.
        fades_in = _ramp(pixels, ramp_starts[index - 1], feather) if index > 0 else np.ones(length)
        fades_out = _ramp(pixels, ramp_starts[index], feather) if index < len(ramp_starts) else np.zeros(length)
        weights.append((fades_in - fades_out).astype(np.float32))
    return weights


@functools.lru_cache(maxsize=16)  # images of one size, a video's frames, are all cut alike
def tile_shares(cut: Cut, scale: Fraction) -> tuple[Share, ...]:
    """What each tile gives to the result along one axis."""
    shares: list[Share] = []
    for start, weights in reversed(list(zip(cut.starts, tile_weights(cut, scale), strict=True))):
        given = np.flatnonzero(weights)
        offset = int(start * scale)
        first, stop = offset + int(given[0]), offset + int(given[-1]) + 1
        done = shares[-1].first if shares else stop
        shares.append(Share(start, offset, first, done, stop, weights[given[0] : given[-1] + 1]))
    return tuple(reversed(shares))


def _ramp(pixels: npt.NDArray[Any], start: int, length: int) -> npt.NDArray[Any]:
    """0 before `start`, 1 from `start + length` on, linear in between."""
    if length == 0:
        return (pixels > start).astype(np.float64)
    return np.clip((pixels - start) / length, 0.0, 1.0)
