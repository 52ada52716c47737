"""Images through a network: padded to a size that it takes, tiled, cropped."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .images import IntegerImage, split_opacity
from .metadata import Metadata
from .picture import Picture
from .run_tiled import Pixels, run_tiled
from .tiling import Cut, cut_axis, padded_size, round_up

FloatArray = npt.NDArray[np.float32]
Run = Callable[[FloatArray], FloatArray]
RunIntegers = Callable[[IntegerImage], IntegerImage]
Shape = tuple[int | None, int | None, int | None, int | None]

UNTILED_LIMIT_PIXELS = 1024 * 1024
# On a GPU every image size is planned anew, 1 to 2 s for RRDBNet-23 (measured on an H100), and one that comes back is
# captured; and a whole image of 1024 x 1024 can take more memory than a small card has.
DEVICE_UNTILED_LIMIT_PIXELS = 512 * 512
_TILE = 512
_OVERLAP = 32
_OVERLAP_LIMIT = 64

# Tiles run as one batch where they have no more pixels than this in all. On 2 cores of a CPU that made tiles of
# 16 pixels 1.8 (Compact) to 2.6 times (DnCNN) as fast and tiles of 32 pixels at least 1.2 times; from 64 on nothing
# changed, up to 2 x 256 x 256. Not measured on a GPU. A quarter of the automatic tile, so no more memory.
_BATCH_PIXELS = 256 * 256


def enhance_images(
    run: Run,
    images: Sequence[IntegerImage],
    metadata: Metadata,
    shape: Shape,
    *,
    run_integers: RunIntegers | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    untiled_limit_pixels: int = UNTILED_LIMIT_PIXELS,
) -> list[IntegerImage]:
    """`Model.enhance_batch` for a network `run` (float32 (N, C, H, W) -> float32 (N, C', sH, sW)).

    `shape`: the sizes that the network's input is fixed to, None for each that may vary. `run` is called in the
    calling thread, and has to return a new array every time, which is overwritten. `untiled_limit_pixels`: larger
    images are tiled where `tile` is None.

    `run_integers`: the same network for integers (N, H, W, C) -> (N, sH, sW, C') of the same dtype, uint8 or uint16,
    contiguous in, rounded and clipped as `images.write_integers` does; raises ModelError for NaN, in padding too.
    Called as `run` is, instead of it, where all images are of one dtype and have the network's channels, and no
    opacity has to run; it must not write into what it gets. Pixels are then the same but where tiles fade into each
    other: there rounded and clipped values are blended, so they may differ by 1, and by more only where tiles
    disagree about a value beyond the range.

    Beside the images and the results, memory is bounded by the tile, not by the images' size: two batches as float32
    before the network and two after it (a batch is one tile of every image, or small ones of 256 x 256 pixels in
    all; as integers where they run so), and the seams (16 input pixels) between the row of tiles that runs and the
    next, and between this tile and the next.
    """
    if metadata.scale is None:
        raise InputError(
            "the model's metadata gives no scale (output size / input size), so an image cannot be tiled and "
            "cropped; use model(x)"
        )
    scale = Fraction(metadata.scale).limit_denominator(64)
    pictures = [_picture(image, metadata, shape, scale) for image in images]
    height, width = _common_size(images)
    rows, columns = _plan(height, width, metadata, shape, scale, tile, overlap, untiled_limit_pixels)
    samples = [picture.samples for picture in pictures]
    if shape[0] not in (None, 1, sum(samples)):
        raise InputError(f"the model takes batches of {shape[0]} only, not a single image; use model(x)")

    run_pixels: Callable[[Pixels], Pixels] = run
    reads: list[Callable[[int, int, int, int], Pixels]] = [picture.read for picture in pictures]
    one_dtype = len({image.dtype for image in images}) == 1
    if run_integers is not None and one_dtype and all(picture.as_it_is for picture in pictures):
        run_pixels, reads = _of_planes(run_integers), [picture.read_integers for picture in pictures]

    def run_samples(x: Pixels) -> Pixels:
        if shape[0] == 1 and len(x) > 1:
            return np.concatenate([run_pixels(x[i : i + 1]) for i in range(len(x))])
        return run_pixels(x)

    def read(top: int, left: int) -> Pixels:
        tiles = [read_tile(top, left, rows.tile, columns.tile) for read_tile in reads]
        return tiles[0] if len(tiles) == 1 else np.concatenate(tiles)

    def write(y: Pixels, top: int, left: int) -> None:
        for picture, part in zip(pictures, np.split(y, np.cumsum(samples)[:-1]), strict=True):
            picture.write(part, top, left)

    run_tiled(
        run_samples,
        read,
        write,
        rows,
        columns,
        scale,
        tiles_per_batch=max(1, _BATCH_PIXELS // (sum(samples) * rows.tile * columns.tile)) if shape[0] is None else 1,
        progress=progress,
    )
    return [picture.result for picture in pictures]


def _picture(image: IntegerImage, metadata: Metadata, shape: Shape, scale: Fraction) -> Picture:
    colors, _ = split_opacity(image)
    return Picture(image, shape[1] or colors.shape[2], scale, metadata.value_range)


def _of_planes(run_integers: RunIntegers) -> Callable[[Pixels], Pixels]:
    """`run_integers` for views (N, C, H, W) of the images that it takes and gives."""

    def run(x: Pixels) -> Pixels:
        return run_integers(np.ascontiguousarray(x.transpose(0, 2, 3, 1))).transpose(0, 3, 1, 2)

    return run


def _common_size(images: Sequence[IntegerImage]) -> tuple[int, int]:
    sizes = list(dict.fromkeys(image.shape[:2] for image in images))
    if len(sizes) != 1:
        found = " and ".join(f"{height}x{width}" for height, width in sizes) or "no image"
        raise InputError(f"a batch of images has {found}; expected images of one size, which run as one")
    return sizes[0]


def _plan(
    height: int,
    width: int,
    metadata: Metadata,
    shape: Shape,
    scale: Fraction,
    tile: int | None,
    overlap: int | None,
    untiled_limit_pixels: int,
) -> tuple[Cut, Cut]:
    """How to cut an image of `height` x `width`, padding at its bottom and right end included."""
    for name, value in (("tile", tile), ("overlap", overlap)):
        if value is not None and value < 0:
            raise InputError(f"{name} is {value}; expected 0 or more pixels, or None for the automatic choice")
    unit = math.lcm(metadata.size_multiple, scale.denominator)
    if tile is None:
        tile = max(_TILE, 4 * (overlap or 0)) if height * width > untiled_limit_pixels else 0
    if overlap is None:
        reach = _OVERLAP if metadata.overlap is None else min(metadata.overlap, _OVERLAP_LIMIT)
    else:
        reach = overlap
    cuts = []
    for size, fixed in ((height, shape[2]), (width, shape[3])):
        needed = round_up(max(size, metadata.size_minimum), unit)
        if fixed is not None:
            # Too small a fixed size is nothing that the caller can change: the overlap gives way.
            axis_reach = reach if overlap is not None else min(reach, fixed // 4 // unit * unit)
            cuts.append(cut_axis(padded_size(size, fixed, unit), fixed, axis_reach, unit))
        else:
            length = min(needed, round_up(max(tile, metadata.size_minimum), unit)) if tile else needed
            cuts.append(cut_axis(padded_size(needed, length, unit), length, reach, unit))
    return cuts[0], cuts[1]
