"""Averages over the whole image, which a network looks at, held while the image's tiles run."""

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from dni_runtime.metadata import Metadata

from .plan_tiles import Shape, plan_tiles, reach_of
from .run_tiled import Pixels
from .strengths.regions import Regions, Run
from .tiling import Cut, round_up

Progress = Callable[[int, int], None]
_ANY: Shape = (None, None, None, None)

HELD_NOTE = "in tiles that share the averages over the whole image; untiled (tile 0) is faster, and takes more memory"
APART_NOTE = "the network looks at the whole image, so untiled (tile 0) is another picture, and takes more memory"


class Averages(Protocol):
    """What measures them, see `dni_runtime.averages.passes`."""

    @property
    def unit(self) -> int: ...
    @property
    def passes(self) -> int: ...
    def hold(
        self,
        read: Callable[[int, int], Pixels],
        rows: Cut,
        columns: Cut,
        size: tuple[int, int],
        step: Callable[[], None],
    ) -> list[Run]: ...


def hold(
    averages: Averages,
    run: Run | Regions,
    read: Callable[..., Pixels],
    rows: Cut,
    columns: Cut,
    metadata: Metadata,
    overlap: int | None,
    progress: Progress | None,
) -> tuple[Run | Regions, Progress]:
    """`run` with the averages of the image whose tiles `read` gives, and the progress of what it has still to do.

    `read(top, left, height, width)`; `rows`, `columns`: how the image is cut into tiles to run. It is measured in tiles
    that begin at multiples of `averages.unit`, beyond the image's end if need be; most networks take no other sizes.
    """
    height, width = (cut.starts[-1] + cut.tile for cut in (rows, columns))
    measured = replace(metadata, size_multiple=math.lcm(metadata.size_multiple, averages.unit))
    scale = metadata.ratio
    assert scale is not None
    unit = math.lcm(measured.size_multiple, scale.denominator)
    least = max(2 * round_up(reach_of(metadata, overlap), unit), metadata.size_minimum) + unit
    tile = max(rows.tile, columns.tile, least)
    down, across = plan_tiles(height, width, measured, _ANY, scale, tile, overlap, 0)
    before = len(down.starts) * len(across.starts) * averages.passes
    total = before + len(rows.starts) * len(columns.starts)
    report = progress or (lambda done, total: None)
    done = itertools.count(1)
    cut_out = functools.partial(read, height=down.tile, width=across.tile)
    runs = averages.hold(cut_out, down, across, (height, width), lambda: report(next(done), total))
    return (
        replace(run, runs=runs) if isinstance(run, Regions) else runs[0],
        lambda done, _: report(before + done, total),
    )
