"""A plan made of how an image is cut."""

import math
from fractions import Fraction

import numpy as np

from dni_runtime.images.averages import APART_NOTE, HELD_NOTE, Averages
from dni_runtime.images.tiling import Cut
from dni_runtime.metadata import AVERAGES, WHOLE, Metadata

from .lay_out import Layout, ratio_of, tiles_per_batch
from .plan import Plan
from .plan_tiles import Shape

_FLOAT_BYTES = np.dtype(np.float32).itemsize


def make_plan(
    height: int, width: int, layout: Layout, metadata: Metadata, shape: Shape, *, averages: Averages | None
) -> Plan:
    """The plan for an image of `height` x `width` and of the network's own channels, without opacity.

    `averages`: which are measured before; None for none.
    """
    scale, rows, columns, margin = ratio_of(metadata), layout.rows, layout.columns, layout.margin
    looks_far = layout.tiles > 1 and metadata.view in (AVERAGES, WHOLE)
    batch = min(layout.tiles, tiles_per_batch(layout, shape, 1))
    return Plan(
        height=math.ceil(height * scale),
        width=math.ceil(width * scale),
        tile_height=rows.tile,
        tile_width=columns.tile,
        rows=tuple(start - margin for start in rows.starts),
        columns=tuple(start - margin for start in columns.starts),
        overlap=(rows.overlap, columns.overlap),
        steps=layout.tiles * (1 if averages is None else 1 + averages.passes),
        note=(APART_NOTE if averages is None else HELD_NOTE) if looks_far else None,
        buffer_bytes=_buffer_bytes(rows, columns, scale, shape[1] or 3, batch),
    )


def _buffer_bytes(rows: Cut, columns: Cut, scale: Fraction, channels: int, tiles_per_batch: int) -> int:
    """Of batches in flight, see `run_in_flight`, and of the seams, see `Seams`."""
    pixel = channels * _FLOAT_BYTES
    before = pixel * tiles_per_batch * rows.tile * columns.tile
    after = pixel * tiles_per_batch * int(rows.tile * scale) * int(columns.tile * scale)
    tiles = len(rows.starts) * len(columns.starts)
    if tiles <= tiles_per_batch:
        return before + after + (before if tiles > 1 else 0)
    # Of several tiles a batch is put together, so that one more is there for a moment.
    seams = pixel * int(rows.feather * scale) * int((columns.starts[-1] + columns.tile) * scale)
    seams += pixel * int(columns.feather * scale) * int(rows.tile * scale)
    return 2 * before + 2 * after + seams + (before if tiles_per_batch > 1 else 0)
