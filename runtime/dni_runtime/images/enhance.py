"""Images through a network: padded to a size that it takes, tiled, cropped."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from dni_runtime.errors import InputError
from dni_runtime.metadata import Metadata

from .averages import Averages, Progress, hold
from .conversion import Image, IntegerImage, check_image, split_opacity, white_of
from .picture import Picture
from .plans.lay_out import check_shape, lay_out, ratio_of, tiles_per_batch
from .plans.plan_tiles import Shape
from .run_tiled import Pixels, Place, run_tiled
from .strengths.regions import Regions, Run

RunIntegers = Callable[[IntegerImage], IntegerImage]


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
    bits: int | None = None,
    progress: Progress | None = None,
    new_sizes_cost: bool = False,
) -> list[Image]:
    """`Model.enhance_batch` for a network `run` (float32 (N, C, H, W) -> float32 (N, C', sH, sW)), or for one with
    another alpha for each pixel.

    `shape`: the sizes that the network's input is fixed to, None for each that may vary. `run` is called in the
    calling thread, and has to return a new array every time, which is overwritten. `new_sizes_cost`: see
    `lay_out`. `wrap`, `bits`: as for `Model.enhance`.

    `run_integers`: the same network for integers (N, H, W, C) -> (N, sH, sW, C') of the same dtype, uint8 or uint16,
    over their whole range, contiguous in, rounded and clipped as `images.write_pixels` does; raises ModelError for NaN,
    in padding too.
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
    scale = ratio_of(metadata)
    height, width = check_common_size(images)
    cut = functools.partial(
        lay_out,
        height,
        width,
        metadata,
        shape,
        tile=tile,
        overlap=overlap,
        wrap=wrap,
        new_sizes_cost=new_sizes_cost,
    )
    layout = cut()
    pictures = [Picture(image, shape[1], scale, metadata.value_range, layout.margin, bits) for image in images]
    samples = [picture.samples for picture in pictures]
    check_shape(shape, sum(samples))

    held = averages() if averages is not None and layout.tiles > 1 else None
    if held is not None:
        layout = cut(grid=held.unit)
    rows, columns = layout.rows, layout.columns

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

    one_by_one = _one_by_one if shape[0] == 1 and held is None else _as_it_is  # what is held does so itself
    try:
        if held is not None:
            run, progress = hold(held, run, read, rows, columns, progress)
        if isinstance(run, Regions):
            run_tiles = run.by_place(one_by_one, rows.tile, columns.tile, layout.margin, scale)
        else:
            run_tiles = _anywhere(one_by_one(run if integers is None else integers))
        run_tiled(
            run_tiles,
            read,
            write,
            rows,
            columns,
            scale,
            tiles_per_batch=tiles_per_batch(layout, shape, sum(samples)),
            progress=progress,
        )
    except MemoryError as error:
        raise InputError(
            f"there is too little memory for {height}x{width} pixels at scale {scale}, in tiles of "
            f"{rows.tile}x{columns.tile} ({error}); use smaller tiles, or a smaller image"
        ) from None
    return [picture.result for picture in pictures]


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


def check_images(images: Sequence[Image], bits: int | None) -> None:
    """Raise InputError for an image that does not run: of another kind, size or range, or not finite."""
    check_common_size(images)
    for image in images:
        split_opacity(image)
        white_of(image, bits)


def check_common_size(images: Sequence[Image]) -> tuple[int, int]:
    """Height and width of all images. Raises InputError where they differ, there is none, or one is no image."""
    for image in images:
        check_image(image)
    sizes = list(dict.fromkeys(image.shape[:2] for image in images))
    if len(sizes) != 1:
        found = " and ".join(f"{height}x{width}" for height, width in sizes) or "no image"
        raise InputError(f"a batch of images has {found}; expected images of one size, which run as one")
    return sizes[0]
