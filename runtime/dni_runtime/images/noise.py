"""How noisy a photograph is, told from the photograph alone.

Neighbouring pixels of a photograph are alike and those of noise are not, so the finest diagonal wavelet coefficients
are noise first of all. Donoho and Johnstone (1994) take their median absolute deviation over the whole image, and so
take grass and gravel for noise. Here the deviation is taken block by block, and the smooth blocks of the image tell it;
and what was clipped at black or white, where noise looks weaker than it is, is put right.

A network of three channels averages them, and so takes noise that is apart in each more easily away than noise that
they share: that of a grey image, and what a JPEG leaves, which is in the brightness. It counts as what is as hard.

How near it comes: benchmarks/results/noise_estimate.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .conversion import Image, clamped, split_opacity, white_of

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
# Of noise that three channels share, to noise apart in each with the same mean of the three.
_SHARED = math.sqrt(3)
# Where fewer blocks than this share are free of clipping it is no photograph, or there is nothing else to go by.
_FREE_SHARE = 0.1
# More pixels tell it no better.
_ENOUGH_PIXELS = 2**20


def estimate_noise(image: Image, channels: int | None = None, *, bits: int | None = None) -> float | None:
    """The sigma of the noise in a photograph, of 255 whatever the dtype is; None where it is too small to tell.

    image:    uint8, uint16 or float32, as for `Model.enhance`. Less than 64 pixels high or wide is too small. Opacity
              is not looked at.
    channels: of the network that is to take the noise away, 1 or 3; None for as many as the image has.
    bits:     as for `Model.enhance`.

    It is that of noise apart in each channel. What three channels share, be it that the image is grey, counts up to
    1.73 times, for it is as hard to take away as so much noise that is apart.

    Raises InputError for an unfit image.
    """
    colors, _ = split_opacity(image)
    scale = _LEVELS / white_of(image, bits)
    if min(colors.shape[:2]) < SMALLEST_SIDE_PIXELS:
        return None
    strips = [each * scale for each in _strips(colors)]
    apart = _deviation(strips)
    if (channels or colors.shape[2]) == 1:
        return apart
    shared = apart if colors.shape[2] == 1 else _deviation([each.mean(axis=0, keepdims=True) for each in strips])
    return max(apart, _SHARED * shared)


def _strips(colors: Image) -> Iterator[npt.NDArray[np.float64]]:
    """Pixels (C, h, w) of the height of a block and what its detail reaches into: all, or some spread evenly."""
    height, width, _ = colors.shape
    count = (height - _ORDER) // _BLOCK
    used = (width - _ORDER) // _BLOCK * _BLOCK
    for strip in range(0, count, -(-height * width // _ENOUGH_PIXELS)):
        top = strip * _BLOCK
        pixels = colors[top : top + _BLOCK + _ORDER, : used + _ORDER]
        yield clamped(pixels).transpose(2, 0, 1).astype(np.float64)


def _deviation(strips: Sequence[npt.NDArray[np.float64]]) -> float:
    """Of the noise in the channels of `strips`, from the blocks of all of them."""
    deviations, means = [], []
    for pixels in strips:
        detail = np.diff(np.diff(pixels, _ORDER, axis=1), _ORDER, axis=2)
        middle = pixels[:, 1 : 1 + _BLOCK, 1 : 1 + detail.shape[2]]
        power, mean = (
            each.reshape(len(pixels), _BLOCK, -1, _BLOCK).mean(axis=(1, 3)).ravel()
            for each in (np.square(detail), middle)
        )
        deviations.append(np.sqrt(power) / _GAIN)
        means.append(mean)
    return float(_smooth(np.concatenate(deviations), np.concatenate(means)) / _SMALLER)


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
