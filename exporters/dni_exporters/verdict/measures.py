"""What tells a blend that works from one that does not: colour first of all, then contrast and detail.

All are taken at pixels of the output, whatever the network's scale: that is what one looks at. The faults of blends are
broad (a picture turns brown, pink, hazy) or fine (halos, blur), and between the two lies what ends differ in by right.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from dni_exporters.networks.probe import quiet_inference

from .colour import Array, ciede2000, lab

BROAD_PX = 8.0
FINE_PX = 1.5
# A Gaussian of 8 pixels is as good as flat over four.
_BROAD_STEP = 4
# Of 0..1: below a step of 8 bits nobody sees contrast or detail, and there is nothing to divide by.
FLAT = 1 / 255
# PSNR of pictures that are equal; no JSON has infinity.
MOST_DB = 100.0


def mix(outputs: Sequence[Array], shares: Sequence[float]) -> Array:
    """What a blend is measured by: the ends' pictures, mixed as their weights are."""
    return np.asarray(sum(share * output for share, output in zip(shares, outputs, strict=True)))


def colour_shift(picture: Array, wanted: Array) -> float:
    """Mean CIEDE2000 between two pictures (H, W, 1 or 3), in 0..1, both blurred so far that only colour is left."""
    return float(
        ciede2000(*(lab(_blurred(each, BROAD_PX, _BROAD_STEP).clip(0, 1)) for each in (picture, wanted))).mean()
    )


def contrast(picture: Array) -> float:
    """Standard deviation over all that a picture holds."""
    return float(picture.std())


def detail(picture: Array) -> float:
    """Standard deviation of what a Gaussian of 1.5 pixels takes away."""
    return float((picture - _blurred(picture, FINE_PX)).std())


def beside(value: float, ends: Sequence[float]) -> float:
    """How far `value` is beyond what lies between `ends`, as a factor: 1 within, less below, more above."""
    value, low, high = (max(each, FLAT) for each in (value, min(ends), max(ends)))
    return value / low if value < low else value / high if value > high else 1.0


def psnr_db(picture: Array, wanted: Array) -> float:
    """Peak signal-to-noise ratio, peak 1, MOST_DB at most."""
    error = float(np.square(picture - wanted, dtype=np.float64).mean())
    return MOST_DB if error <= 10 ** (-MOST_DB / 10) else float(-10 * np.log10(error))


def _blurred(picture: Array, sigma_px: float, step: int = 1) -> Array:
    """A Gaussian over (H, W, C), mirrored at the borders; of every `step`th row and column, as far from both edges."""
    rows, columns = (_gaussian(side, sigma_px)[(side - 1) % step // 2 :: step] for side in picture.shape[:2])
    with quiet_inference():  # NumPy's own threads would wait for each other on a busy machine
        down = torch.tensordot(rows, torch.from_numpy(picture.astype(np.float32)), ([1], [0]))
        blurred: Array = torch.tensordot(down, columns, ([1], [1])).permute(0, 2, 1).numpy()
    return blurred


@lru_cache(maxsize=8)
def _gaussian(side: int, sigma_px: float) -> torch.Tensor:
    """The blur of one axis as a matrix (side, side)."""
    reach = int(4 * sigma_px + 0.5)
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / sigma_px) ** 2)
    index = (np.arange(side)[:, None] + offsets) % (2 * side)
    matrix = np.zeros((side, side), np.float32)
    np.add.at(matrix, (np.arange(side)[:, None], np.minimum(index, 2 * side - 1 - index)), weights / weights.sum())
    return torch.from_numpy(matrix)
