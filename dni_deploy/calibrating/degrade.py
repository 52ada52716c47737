"""Clean images made noisy, or compressed, by a level."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from dni_runtime.calibration import NOISE

Pixels = npt.NDArray[np.uint8]


def degrade(image: Pixels, kind: str, level: float, seed: int) -> Pixels:
    """A uint8 `image` (H, W, 3) with what a level of `kind` is of a Calibration: the same every time.

    Noise is Gaussian, apart in each channel, the same for a `seed` at every level but for its sigma, and clipped as a
    file clips it. JPEG is Pillow's, which halves the resolution of colour as most programs do.
    """
    return _noisy(image, level, seed) if kind == NOISE else _compressed(image, round(level))


def _noisy(image: Pixels, sigma: float, seed: int) -> Pixels:
    noise = np.random.default_rng(seed).standard_normal(image.shape, np.float32)
    return (image + np.float32(sigma) * noise).round().clip(0, 255).astype(np.uint8)


def _compressed(image: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    with Image.open(file) as opened:
        return np.asarray(opened)
