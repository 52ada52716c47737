"""Averages over the whole image, which a network looks at, held while the image's tiles run."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from .run_tiled import Pixels
from .strengths.regions import Regions, Run
from .tiling import Cut

Progress = Callable[[int, int], None]

HELD_NOTE = "in tiles that share the averages over the whole image; untiled (tile 0) is faster, and takes more memory"
APART_NOTE = "the network looks at the whole image, so untiled (tile 0) is another picture, and takes more memory"


class Averages(Protocol):
    """What measures them, see `dni_runtime.averages.passes`."""

    @property
    def unit(self) -> int: ...
    @property
    def passes(self) -> int: ...
    def hold(
        self, read: Callable[[int, int], Pixels], rows: Cut, columns: Cut, step: Callable[[], None]
    ) -> list[Run]: ...


def hold(
    averages: Averages,
    run: Run | Regions,
    read: Callable[[int, int], Pixels],
    rows: Cut,
    columns: Cut,
    progress: Progress | None,
) -> tuple[Run | Regions, Progress]:
    """`run` with the averages of the image whose tiles `read` gives, and the progress of what it has still to do."""
    before = len(rows.starts) * len(columns.starts) * averages.passes
    total = before + len(rows.starts) * len(columns.starts)
    report = progress or (lambda done, total: None)
    done = itertools.count(1)
    runs = averages.hold(read, rows, columns, lambda: report(next(done), total))
    return (
        replace(run, runs=runs) if isinstance(run, Regions) else runs[0],
        lambda done, _: report(before + done, total),
    )
