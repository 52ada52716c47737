"""How an image is cut where it runs: the network's sizes, its scale, and what of an image it sees again."""

import math
from dataclasses import dataclass
from fractions import Fraction

from dni_runtime.errors import InputError
from dni_runtime.images.tiling import Cut
from dni_runtime.metadata import Metadata
from dni_runtime.sizes import round_up

from .plan_tiles import Shape, plan_tiles, reach_of

_UNTILED_LIMIT_PIXELS = 1024 * 1024
# On a GPU every image size is planned anew, 1 to 2 s for RRDBNet-23 (measured on an H100), and one that comes back is
# captured; and a whole image of 1024 x 1024 can take more memory than a small card has.
_DEVICE_UNTILED_LIMIT_PIXELS = 512 * 512
# Tiles run as one batch where they have no more pixels than this in all. On 2 cores of a CPU that made tiles of
# 16 pixels 1.8 (Compact) to 2.6 times (DnCNN) as fast and tiles of 32 pixels at least 1.2 times; from 64 on nothing
# changed, up to 2 x 256 x 256. Not measured on a GPU. A quarter of the automatic tile, so no more memory.
_BATCH_PIXELS = 256 * 256


@dataclass(frozen=True, slots=True)
class Layout:
    """How an image is cut.

    margin: how many of its own pixels the network sees beyond each end, where it is a seamless tile; `rows` and
            `columns` are counted from there on.
    """

    rows: Cut
    columns: Cut
    margin: int

    @property
    def tiles(self) -> int:
        return len(self.rows.starts) * len(self.columns.starts)


def ratio_of(metadata: Metadata) -> Fraction:
    """Output size / input size. Raises InputError where nobody knows it."""
    if metadata.scale is None:
        raise InputError(
            "the model's metadata gives no scale (output size / input size), so an image cannot be tiled and "
            "cropped; use model(x)"
        )
    if metadata.ratio is None:
        raise InputError(
            f"the model's scale (output size / input size) is {metadata.scale}, no fraction of small numbers, so an "
            "image cannot be tiled and cropped; use model(x)"
        )
    return metadata.ratio


def check_shape(shape: Shape, samples: int) -> None:
    """Raise InputError for a network that takes no grey or RGB image, or neither one at a time nor `samples`."""
    if shape[1] not in (None, 1, 3):
        raise InputError(f"the network takes {shape[1]} channels, no grey or RGB image; use model(x)")
    if shape[0] not in (None, 1, samples):
        raise InputError(f"the model takes batches of {shape[0]} only, not a single image; use model(x)")


def lay_out(
    height: int,
    width: int,
    metadata: Metadata,
    shape: Shape,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    wrap: bool = False,
    grid: int = 1,
    new_sizes_cost: bool = False,
) -> Layout:
    """How an image of `height` x `width`, which may be a seamless tile (`wrap`), is cut; else as `plan_tiles`.

    `new_sizes_cost`: whether the network takes time for every new size of its input, as on a GPU. Then smaller images
    are cut where nobody gives a tile, and into tiles of one size.

    Raises InputError as `plan_tiles` does, and where the network has no scale, or the ends of a tile cannot meet.
    """
    scale = ratio_of(metadata)
    margin = _margin(height, width, metadata, scale, overlap) if wrap else 0
    padded = (height + 2 * margin, width + 2 * margin)
    limit, even = (_DEVICE_UNTILED_LIMIT_PIXELS, False) if new_sizes_cost else (_UNTILED_LIMIT_PIXELS, True)
    cuts = plan_tiles(*padded, metadata, shape, scale, tile, overlap, limit, grid=grid, even=even)
    return Layout(*cuts, margin)


def tiles_per_batch(layout: Layout, shape: Shape, samples: int) -> int:
    """How many tiles of so many samples run at a time."""
    tile_pixels = samples * layout.rows.tile * layout.columns.tile
    return max(1, _BATCH_PIXELS // tile_pixels) if shape[0] is None else 1


def _margin(height: int, width: int, metadata: Metadata, scale: Fraction, overlap: int | None) -> int:
    """How many of its own pixels the network sees beyond each end of a seamless tile: what it looks at, as tiles do."""
    if height % scale.denominator or width % scale.denominator:
        raise InputError(
            f"an image of {height}x{width} pixels has no whole number of them at scale {scale}, so its ends cannot "
            f"meet; expected multiples of {scale.denominator}, or no wrap"
        )
    return round_up(reach_of(metadata, overlap), math.lcm(metadata.size_multiple, scale.denominator))
