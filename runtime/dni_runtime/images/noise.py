"""How noisy a photograph is, told from the photograph alone.

Neighbouring pixels of a photograph are alike and those of noise are not, so the finest diagonal wavelet coefficients
are noise first of all. Donoho and Johnstone (1994) take their median absolute deviation over the whole image, and so
take grass and gravel for noise. Here the deviation is taken block by block, and the smooth blocks of the image tell it;
and what was clipped at black or white, where noise looks weaker than it is, is put right.

How near it comes: benchmarks/results/noise_estimate.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .conversion import IntegerImage, split_opacity

SMALLEST_SIDE_PIXELS = 64
_LEVELS = 255
_BLOCK = 16
# Of the biorthogonal spline wavelet 3.1, the high-pass (1, -3, 3, -1) / sqrt(20): less of a photograph gets through it
# than through Haar's. Differences of third order are it, but for the factor; in both directions, so its square.
_ORDER, _GAIN = 3, 20
# The smooth blocks are those of least deviation, and their deviation is smaller than that of all: by this factor, where
# there is nothing but noise (found on 4096 x 4096 pixels of it).
_SHARE, _SMALLER = 0.1, 0.8721
# Noise at the end of the scale: how far the mean that is seen is from the end, in deviations that are seen, and by what
# factor the deviation was larger before it was clipped. Of a Gaussian; nearer than the first, too much of it is lost.
_DISTANCE = np.array([0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.7, 2.0, 2.4, 3.0, 4.0])
_LOST = np.array([1.5044, 1.3815, 1.2918, 1.225, 1.1745, 1.1199, 1.0827, 1.0502, 1.0234, 1.0079, 1.0013, 1.0])
# Where fewer blocks than this share are free of clipping it is no photograph, or there is nothing else to go by.
_FREE_SHARE = 0.1
# More pixels tell it no better.
_ENOUGH_PIXELS = 2**20


def estimate_noise(image: IntegerImage) -> float | None:
    """The sigma of the noise in a photograph, of 255 whatever the dtype is; None where it is too small to tell.

    image: uint8 or uint16, as for `Model.enhance`. Less than 64 pixels high or wide is too small. Opacity is not
           looked at.

    Raises InputError for an unfit image.
    """
    colors, _ = split_opacity(image)
    if min(colors.shape[:2]) < SMALLEST_SIDE_PIXELS:
        return None
    deviations, means = (np.concatenate(parts) for parts in zip(*_blocks(colors), strict=True))
    scale = _LEVELS / np.iinfo(image.dtype).max
    return float(_smooth(deviations * scale, means * scale) / _SMALLER)


def _blocks(colors: IntegerImage) -> list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """Deviation of the coefficients and mean of the pixels of each block, strip by strip; channels are blocks alike."""
    height, width, _ = colors.shape
    count = (height - _ORDER) // _BLOCK
    step = -(-height * width // _ENOUGH_PIXELS)
    used = (width - _ORDER) // _BLOCK * _BLOCK
    found = []
    for strip in range(0, count, step):
        top = strip * _BLOCK
        pixels = colors[top : top + _BLOCK + _ORDER, : used + _ORDER].transpose(2, 0, 1).astype(np.float64)
        detail = np.diff(np.diff(pixels, _ORDER, axis=1), _ORDER, axis=2)
        power = np.square(detail).reshape(-1, _BLOCK, used // _BLOCK, _BLOCK).mean(axis=(1, 3))
        middle = pixels[:, 1 : 1 + _BLOCK, 1 : 1 + used].reshape(-1, _BLOCK, used // _BLOCK, _BLOCK)
        found.append((np.sqrt(power.ravel()) / _GAIN, middle.mean(axis=(1, 3)).ravel()))
    return found


def _smooth(deviations: npt.NDArray[Any], means: npt.NDArray[Any]) -> Any:
    """The deviation of the smooth blocks, as it was before anything was clipped."""
    with np.errstate(divide="ignore", invalid="ignore"):  # a flat block has no deviation to count in
        black, white = means / deviations, (_LEVELS - means) / deviations
        # Each end shrinks what is counted in at the other one.
        first = [np.interp(place, _DISTANCE, _LOST) for place in (black, white)]
        restored = deviations * np.interp(black / first[1], _DISTANCE, _LOST)
        restored *= np.interp(white / first[0], _DISTANCE, _LOST)
        free = np.minimum(black, white) > _DISTANCE[0]
    chosen = restored[free] if free.mean() >= _FREE_SHARE else deviations
    return np.quantile(chosen, _SHARE)
