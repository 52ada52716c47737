"""What it costs that a file takes images of one size: a larger one runs in tiles, which see less than the whole."""

import time

import numpy as np
from torch import nn

from dni_exporters.networks.probe import run_on
from dni_runtime import Metadata
from dni_runtime.images.enhance import enhance_images

from .beside import shown
from .colour import Array
from .measures import MOST_DB, psnr_db
from .photographs import built_in, network_input

# Of both sides.
_LARGER = 2
# A run of this size and some dozen of tiles are to take seconds.
_SLOWEST_TILE_S = 1.5


def cost_of_tiles(network: nn.Module, metadata: Metadata, input_shape: tuple[int, int, int, int]) -> str:
    """What a user of a file of `input_shape` alone should know: how far tiles are from the whole, where that is told.

    The network runs both on a built-in photograph, with the weights that are in it.
    """
    _, channels, height, width = input_shape
    size = f"{height}x{width}"
    note = f"the file takes images of {size} alone; larger ones run in tiles of that size"
    missing = f"{note}, which makes another picture than the whole where the network looks farther than a tile"
    if channels not in (1, 3) or metadata.ratio is None:
        return missing
    tall, wide = _LARGER * height, _LARGER * width
    image = network_input(built_in()[0].window(tall, wide), channels)
    try:
        started = time.perf_counter()
        run_on(network, image[..., :height, :width])
        if time.perf_counter() - started > _SLOWEST_TILE_S:
            return f"{missing}; how much was not measured, since the network is slow"
        whole = _planes_last(run_on(network, image))
    except Exception:  # whatever the network's own code raises
        return f"{missing}; how much cannot be measured, since it takes no image of {tall}x{wide}"
    shape = (1, channels, height, width)
    tiles = enhance_images(lambda x: run_on(network, x), [_planes_last(image)], metadata, shape)[0]
    if whole.shape != tiles.shape:
        return f"{missing}; how much cannot be measured, since of an image of {tall}x{wide} it makes another size"
    db = psnr_db(shown(tiles), shown(whole))
    told = "equals" if db >= MOST_DB else f"is {db:.1f} dB (PSNR) from"
    return f"{note}; of a built-in photograph of {tall}x{wide} what they make {told} what the whole gives"


def _planes_last(image: Array) -> Array:
    """(1, C, H, W) as (H, W, C)."""
    return np.ascontiguousarray(image[0].transpose(1, 2, 0))
