"""The images that a row is tried on: three sizes that its file takes, and pictures of bytes."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from judge import Images, Judge
from numpy.typing import NDArray

from dni_runtime import Metadata

Shape: TypeAlias = tuple[int, int, int, int]


def shapes(signature: Sequence[int | None], metadata: Metadata, judge: Judge) -> list[Shape]:
    """Three sizes that the file says it takes, wide, tall and square, of other batches where it takes any.

    signature: (N, C, H, W) of the file, None where it is free.
    """
    n, _, h, w = signature
    step = metadata.size_multiple
    base = -(-max(metadata.size_minimum, 20) // step) * step
    more = step * max(1, 13 // step)
    sides = [(base, base + more), (base + 2 * more, base + step), (base + more, base + more)]
    if metadata.size_square:
        sides = [(side, side) for side in (base, base + more, base + 2 * more)]
    if h is not None or w is not None:
        sides = [(h or base, w or base)]
    return [(n or batch, judge.channels, *side) for batch, side in zip((1, 3, 2), sides, strict=False)]


def images(shape: Sequence[int]) -> Images:
    """Slopes, edges and noise, float32 (N, C, H, W) in 0..1."""
    n, c, h, w = shape
    rng = np.random.default_rng(h * w)
    y, x = np.mgrid[0:h, 0:w] / max(h, w)
    slopes = 0.2 + 0.5 * x * y + 0.3 * (np.hypot(x - 0.4, y - 0.5) < 0.3)
    result: Images = (slopes + 0.1 * rng.standard_normal((n, c, h, w))).clip(0, 1).astype(np.float32)
    return result


def picture(size: tuple[int, int], channels: int) -> NDArray[Any]:
    """Likewise, uint8 (H, W, C), or (H, W) of one channel."""
    image: NDArray[Any] = np.rint(images((1, channels, *size))[0].transpose(1, 2, 0) * 255).astype(np.uint8)
    return image.reshape(size) if channels == 1 else image
