"""One image through a network: padded to a size that it takes, tiled, cropped."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .images import IntegerImage, from_batch, split_opacity, to_batch, to_float, to_integer
from .metadata import Metadata
from .tiling import Cut, cut_axis, padded_size, round_up, run_tiled

Run = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
Shape = tuple[int | None, int | None, int | None, int | None]

_UNTILED_LIMIT_PIXELS = 1024 * 1024
_TILE = 512
_OVERLAP = 32
_OVERLAP_LIMIT = 64


def enhance_image(
    run: Run,
    image: IntegerImage,
    metadata: Metadata,
    shape: Shape,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> IntegerImage:
    """`Model.enhance` for a network `run` (float32 (N, C, H, W) -> float32 (N, C', sH, sW)).

    `shape`: the sizes that the network's input is fixed to, None for each that may vary.
    """
    if metadata.scale is None:
        raise InputError(
            "the model's metadata gives no scale (output size / input size), so an image cannot be tiled and "
            "cropped; use model(x)"
        )
    scale = Fraction(metadata.scale).limit_denominator(64)
    colors, opacity = split_opacity(image)
    channels = shape[1] or colors.shape[2]
    batch = to_batch(colors, channels)
    count = len(batch)
    enlarge_opacity = opacity is not None and scale != 1 and opacity.min() != opacity.max()
    if opacity is not None and enlarge_opacity:
        batch = np.concatenate([batch, to_batch(opacity, channels)])

    height, width = image.shape[:2]
    rows, columns = _plan(height, width, metadata, shape, scale, tile, overlap)
    pad_rows, pad_columns = (c.starts[-1] + c.tile - size for c, size in ((rows, height), (columns, width)))
    if pad_rows or pad_columns:
        # NumPy reflects again where the image is smaller than the padding, and repeats a single row.
        batch = np.pad(batch, ((0, 0), (0, 0), (0, pad_rows), (0, pad_columns)), mode="reflect")

    def run_integers(x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        values = to_float(x, metadata.value_range)
        if shape[0] is None or shape[0] == len(values):
            return run(values)
        if shape[0] != 1:
            raise InputError(f"the model takes batches of {shape[0]} only, not a single image; use model(x)")
        return np.concatenate([run(values[i : i + 1]) for i in range(len(values))])

    y = run_tiled(run_integers, batch, rows, columns, scale, progress)
    y = y[:, :, : math.ceil(height * scale), : math.ceil(width * scale)]
    result = to_integer(from_batch(y[:count], colors.shape[2], channels), image.dtype, metadata.value_range)
    if opacity is None:
        return result[:, :, 0] if image.ndim == 2 and result.shape[2] == 1 else result
    combined = np.empty((*result.shape[:2], 4), image.dtype)
    combined[:, :, :3] = result
    if enlarge_opacity:
        plane = from_batch(y[count:], 1, channels)
        combined[:, :, 3:] = to_integer(plane, image.dtype, metadata.value_range)
    else:
        combined[:, :, 3:] = opacity if scale == 1 else opacity.flat[0]
    return combined


def _plan(
    height: int,
    width: int,
    metadata: Metadata,
    shape: Shape,
    scale: Fraction,
    tile: int | None,
    overlap: int | None,
) -> tuple[Cut, Cut]:
    """How to cut an image of `height` x `width`, padding at its bottom and right end included."""
    for name, value in (("tile", tile), ("overlap", overlap)):
        if value is not None and value < 0:
            raise InputError(f"{name} is {value}; expected 0 or more pixels, or None for the automatic choice")
    unit = math.lcm(metadata.size_multiple, scale.denominator)
    if tile is None:
        tile = max(_TILE, 4 * (overlap or 0)) if height * width > _UNTILED_LIMIT_PIXELS else 0
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
