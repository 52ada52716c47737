"""All tiles of an image through a network: read, run, joined, written, a few at a time."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from dni_runtime.errors import InputError

from .in_flight import run_in_flight
from .seams import Seams
from .tiling import Cut, Share

Pixels = npt.NDArray[Any]
"""A tile, float32 or integers."""
Place = tuple[Share, Share]
"""Where a tile is: its rows and its columns."""


def run_tiled(
    run: Callable[[Pixels, Sequence[Place]], Pixels],
    read: Callable[[int, int], Pixels],
    write: Callable[[Pixels, int, int], None],
    rows: Cut,
    columns: Cut,
    scale: Fraction,
    *,
    tiles_per_batch: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Run `run` on every tile and write the joined result.

    `read(top, left)`: the tile (N, C, h, w) from this pixel on. `run(x, places)`: (B * N, C, h, w), the tiles at these
    B places, up to `tiles_per_batch`, one after another -> (B * N, C', h * scale, w * scale), an array that is this
    function's to overwrite. `write(pixels, top, left)`: gets every pixel of the result once, as blocks (N, C', height,
    width), `top` and `left` counted in the result.
    Tiles are float32, or integers, which are rounded once more where they fade (see `Seams`).

    `run` and `progress` are called in the calling thread, `read` and `write` mostly in another one meanwhile, one
    call at a time. In flight are at most two batches before and two after `run`, and what `Seams` holds.

    Raises InputError if `run` returns another size than `scale` says, or another number of images or channels from
    one batch to the next, and whatever the four functions raise.
    """
    seams = Seams(rows, columns, scale)
    tiles = seams.tiles
    batches = [tiles[i : i + tiles_per_batch] for i in range(0, len(tiles), tiles_per_batch)]
    expected = (int(rows.tile * scale), int(columns.tile * scale))
    channels = set[int]()

    def prepare(batch: int) -> Pixels:
        xs = [read(row.start, column.start) for row, column in batches[batch]]
        return xs[0] if len(xs) == 1 else np.concatenate(xs)

    def run_batch(batch: int, x: Pixels) -> Pixels:
        y = run(x, batches[batch])
        _check_output(y, x, expected, scale)
        channels.add(y.shape[1])
        if len(channels) > 1:
            found = " and ".join(map(str, sorted(channels)))
            raise InputError(f"the network made {found} channels of tiles of one shape; expected one number")
        if progress is not None:
            before = batch * tiles_per_batch
            for done in range(before, before + len(batches[batch])):
                progress(done + 1, len(tiles))
        return y

    def finish(batch: int, y: Pixels) -> None:
        samples = len(y) // len(batches[batch])
        for index, (row, column) in enumerate(batches[batch]):
            part = y[index * samples : (index + 1) * samples]
            write(seams.add(part, row, column), row.first, column.first)

    run_in_flight(len(batches), prepare, run_batch, finish)


def _check_output(y: Pixels, x: Pixels, expected: tuple[int, int], scale: Fraction) -> None:
    if y.ndim != 4 or len(y) != len(x):
        raise InputError(
            f"the network made an array of shape {y.shape} of {x.shape}; expected a batch of as many images. "
            "Use model(x)"
        )
    if y.shape[2:] != expected:
        raise InputError(
            f"the network made {y.shape[2]}x{y.shape[3]} pixels of {x.shape[2]}x{x.shape[3]}; "
            f"expected {expected[0]}x{expected[1]}, scale {scale}. Use model(x)"
        )
