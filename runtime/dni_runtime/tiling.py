"""An image too large for one run, cut into tiles of one shape and joined without visible seams.

Every tile's outermost `overlap` pixels lack part of what the network looks at, and are thrown away (not at
the image's own borders). What is left of neighbouring tiles still overlaps a little; there one fades into the
other. So the result equals the untiled one where `overlap` covers the network's reach, and shows no line
where it does not.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError

_FEATHER = 16


@dataclass(frozen=True, slots=True)
class Cut:
    """How one axis is cut, in input pixels.

    tile:      length of every tile; positions and lengths times the scale are whole numbers.
    starts:    first pixel of every tile, ascending; the last tile ends where the image ends.
    overlap:   pixels thrown away at each inner end of a tile.
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


def round_up(size: int, unit: int) -> int:
    """The smallest multiple of `unit` that is not below `size`."""
    return -(-size // unit) * unit


def padded_size(size: int, tile: int, unit: int) -> int:
    """The smallest length, `size` or more, that tiles of `tile` on a grid of `unit` fill exactly."""
    return tile + round_up(max(0, size - tile), unit)


def cut_axis(size: int, tile: int, overlap: int, unit: int) -> Cut:
    """Cut an axis of `size` pixels (a `padded_size`) into tiles that start at multiples of `unit`.

    Raises InputError if a tile would have nothing left after its overlap.
    """
    if size == tile:
        return Cut(tile, (0,), 0, 0)
    overlap = round_up(overlap, unit)
    kept = tile - 2 * overlap
    if kept < unit:
        raise InputError(
            f"tile {tile} is too small for overlap {overlap}; expected a tile of at least "
            f"{2 * overlap + unit} pixels, or a smaller overlap"
        )
    stride = max(unit, (kept - min(_FEATHER, kept // 4)) // unit * unit)
    starts = (*range(0, size - tile, stride), size - tile)
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


def run_tiled(
    run: Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]],
    x: npt.NDArray[Any],
    rows: Cut,
    columns: Cut,
    scale: Fraction,
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Run `run` on every tile of `x` and join the results.

    `x`: (N, C, H, W) of any dtype, H and W as cut by `rows` and `columns`. `run`: (N, C, h, w) -> float32
    (N, C', h * scale, w * scale). Returns float32 (N, C', H * scale, W * scale). Holds one such array and
    one tile. Raises InputError if `run` returns another size than `scale` says.
    """
    total = len(rows.starts) * len(columns.starts)
    expected = (int(rows.tile * scale), int(columns.tile * scale))
    row_weights = tile_weights(rows, scale)
    column_weights = tile_weights(columns, scale)
    joined: npt.NDArray[np.float32] | None = None
    done = 0
    for top, down in zip(rows.starts, row_weights, strict=True):
        for left, across in zip(columns.starts, column_weights, strict=True):
            y = run(x[:, :, top : top + rows.tile, left : left + columns.tile])
            if y.shape[2:] != expected:
                raise InputError(
                    f"the network made {y.shape[2]}x{y.shape[3]} pixels of {rows.tile}x{columns.tile}; "
                    f"expected {expected[0]}x{expected[1]}, scale {scale}. Use model(x)"
                )
            done += 1
            if total > 1:
                if joined is None:
                    height, width = rows.starts[-1] + rows.tile, columns.starts[-1] + columns.tile
                    joined = np.zeros((*y.shape[:2], int(height * scale), int(width * scale)), np.float32)
                _add(joined, y, down, across, int(top * scale), int(left * scale))
            if progress is not None:
                progress(done, total)
    return y if joined is None else joined


def _ramp(pixels: npt.NDArray[Any], start: int, length: int) -> npt.NDArray[Any]:
    """0 before `start`, 1 from `start + length` on, linear in between."""
    if length == 0:
        return (pixels > start).astype(np.float64)
    return np.clip((pixels - start) / length, 0.0, 1.0)


def _add(
    joined: npt.NDArray[np.float32],
    y: npt.NDArray[np.float32],
    down: npt.NDArray[np.float32],
    across: npt.NDArray[np.float32],
    top: int,
    left: int,
) -> None:
    """Add the tile `y`, weighted, to `joined`; only the part whose weights are not 0."""
    r, c = np.flatnonzero(down), np.flatnonzero(across)
    rows, columns = slice(r[0], r[-1] + 1), slice(c[0], c[-1] + 1)
    part = y[:, :, rows, columns] * (down[rows, None] * across[columns])
    joined[:, :, top + rows.start : top + rows.stop, left + columns.start : left + columns.stop] += part
