"""Images through a network: padded to a size that it takes, tiled, cropped."""

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from dni_runtime.errors import InputError
from dni_runtime.metadata import Metadata

from .averages import Averages, Progress, hold
from .conversion import Image, IntegerImage, check_image
from .picture import Picture
from .plan_tiles import Shape, margin_of, plan_tiles
from .run_tiled import Pixels, Place, run_tiled
from .strengths.regions import Regions, Run

RunIntegers = Callable[[IntegerImage], IntegerImage]

UNTILED_LIMIT_PIXELS = 1024 * 1024
# On a GPU every image size is planned anew, 1 to 2 s for RRDBNet-23 (measured on an H100), and one that comes back is
# captured; and a whole image of 1024 x 1024 can take more memory than a small card has.
DEVICE_UNTILED_LIMIT_PIXELS = 512 * 512

# Tiles run as one batch where they have no more pixels than this in all. On 2 cores of a CPU that made tiles of
# 16 pixels 1.8 (Compact) to 2.6 times (DnCNN) as fast and tiles of 32 pixels at least 1.2 times; from 64 on nothing
# changed, up to 2 x 256 x 256. Not measured on a GPU. A quarter of the automatic tile, so no more memory.
_BATCH_PIXELS = 256 * 256


def enhance_images(
    run: Run | Regions,
    images: Sequence[Image],
    metadata: Metadata,
    shape: Shape,
    *,
    run_integers: RunIntegers | None = None,
    averages: Callable[[], Averages | None] | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    wrap: bool = False,
    progress: Progress | None = None,
    untiled_limit_pixels: int = UNTILED_LIMIT_PIXELS,
    even: bool = True,
) -> list[Image]:
    """`Model.enhance_batch` for a network `run` (float32 (N, C, H, W) -> float32 (N, C', sH, sW)), or for one with
    another alpha for each pixel.

    `shape`: the sizes that the network's input is fixed to, None for each that may vary. `run` is called in the
    calling thread, and has to return a new array every time, which is overwritten. `untiled_limit_pixels`: larger
    images are tiled where `tile` is None; `even`: by no larger tiles than their number needs, as `plan_tiles` has it,
    which is not worth it where every new size costs time. `wrap`: as for `Model.enhance`.

    `run_integers`: the same network for integers (N, H, W, C) -> (N, sH, sW, C') of the same dtype, uint8 or uint16,
    contiguous in, rounded and clipped as `images.write_pixels` does; raises ModelError for NaN, in padding too.
    Called as `run` is, instead of it, where all images are of one dtype and have the network's channels, and no
    opacity has to run; it must not write into what it gets. Pixels are then the same but where tiles fade into each
    other: there rounded and clipped values are blended, so they may differ by 1, and by more only where tiles
    disagree about a value beyond the range.

    `averages`: called where there is more than one tile, for the same network (at each alpha of its regions) with the
    averages over the whole image that it looks at.

    Beside the images and the results, memory is bounded by the tile, not by the images' size: two batches as float32
    before the network and two after it (a batch is one tile of every image, or small ones of 256 x 256 pixels in
    all; as integers where they run so), and the seams (16 input pixels) between the row of tiles that runs and the
    next, and between this tile and the next. Regions take one batch more after the network, and its pixels' levels;
    hidden colours those of a tile and 64 pixels around it, twice as float32. A tile is no more than the image justifies
    (see `plan_tiles`), and the result is made once the network has shown that its output is of the size that its
    metadata says.

    Raises InputError where memory does not suffice, and as `Model.enhance` does.
    """
    scale = _ratio(metadata)
    height, width = check_common_size(images)
    margin = margin_of(height, width, metadata, scale, overlap) if wrap else 0
    pictures = [Picture(image, shape[1], scale, metadata.value_range, margin) for image in images]
    padded = (height + 2 * margin, width + 2 * margin)
    rows, columns = plan_tiles(*padded, metadata, shape, scale, tile, overlap, untiled_limit_pixels, even=even)
    samples = [picture.samples for picture in pictures]
    if shape[0] not in (None, 1, sum(samples)):
        raise InputError(f"the model takes batches of {shape[0]} only, not a single image; use model(x)")

    held = averages() if averages is not None and len(rows.starts) * len(columns.starts) > 1 else None
    if held is not None:
        limit, grid = untiled_limit_pixels, held.unit
        rows, columns = plan_tiles(*padded, metadata, shape, scale, tile, overlap, limit, grid=grid, even=even)

    integers: Callable[[Pixels], Pixels] | None = None
    if run_integers is not None and held is None and not isinstance(run, Regions):
        one_dtype = len({image.dtype for image in images}) == 1
        integers = _of_planes(run_integers) if one_dtype and all(picture.as_it_is for picture in pictures) else None
    reads = [picture.read if integers is None else picture.read_integers for picture in pictures]

    def read(top: int, left: int) -> Pixels:
        tiles = [read_tile(top, left, rows.tile, columns.tile) for read_tile in reads]
        return tiles[0] if len(tiles) == 1 else np.concatenate(tiles)

    def write(y: Pixels, top: int, left: int) -> None:
        for picture, part in zip(pictures, np.split(y, np.cumsum(samples)[:-1]), strict=True):
            picture.write(part, top, left)

    tile_pixels = sum(samples) * rows.tile * columns.tile
    one_by_one = _one_by_one if shape[0] == 1 and held is None else _as_it_is  # what is held does so itself
    try:
        if held is not None:
            run, progress = hold(held, run, read, rows, columns, progress)
        if isinstance(run, Regions):
            run_tiles = run.by_place(one_by_one, rows.tile, columns.tile, margin, scale)
        else:
            run_tiles = _anywhere(one_by_one(run if integers is None else integers))
        run_tiled(
            run_tiles,
            read,
            write,
            rows,
            columns,
            scale,
            tiles_per_batch=max(1, _BATCH_PIXELS // tile_pixels) if shape[0] is None else 1,
            progress=progress,
        )
    except MemoryError as error:
        raise InputError(
            f"there is too little memory for {height}x{width} pixels at scale {scale}, in tiles of "
            f"{rows.tile}x{columns.tile} ({error}); use smaller tiles, or a smaller image"
        ) from None
    return [picture.result for picture in pictures]


def _ratio(metadata: Metadata) -> Fraction:
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


def _anywhere(run: Callable[[Pixels], Pixels]) -> Callable[[Pixels, Sequence[Place]], Pixels]:
    return lambda x, _: run(x)


def _as_it_is(run: Callable[[Pixels], Pixels]) -> Callable[[Pixels], Pixels]:
    return run


def _one_by_one(run: Callable[[Pixels], Pixels]) -> Callable[[Pixels], Pixels]:
    """For networks that take one image at a time."""
    return lambda x: run(x) if len(x) == 1 else np.concatenate([run(x[i : i + 1]) for i in range(len(x))])


def _of_planes(run_integers: RunIntegers) -> Callable[[Pixels], Pixels]:
    """`run_integers` for views (N, C, H, W) of the images that it takes and gives."""

    def run(x: Pixels) -> Pixels:
        return run_integers(np.ascontiguousarray(x.transpose(0, 2, 3, 1))).transpose(0, 3, 1, 2)

    return run


def check_common_size(images: Sequence[Image]) -> tuple[int, int]:
    """Height and width of all images. Raises InputError where they differ, there is none, or one is no image."""
    for image in images:
        check_image(image)
    sizes = list(dict.fromkeys(image.shape[:2] for image in images))
    if len(sizes) != 1:
        found = " and ".join(f"{height}x{width}" for height, width in sizes) or "no image"
        raise InputError(f"a batch of images has {found}; expected images of one size, which run as one")
    return sizes[0]
