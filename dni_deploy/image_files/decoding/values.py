"""Values of pixels that are stored in other ways than `read_image` gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def spread(values: npt.NDArray[Any], bits: int) -> npt.NDArray[Any]:
    """Values of 9 to 15 bits over 16; all others as they are. Raises ValueError for larger ones."""
    if not 8 < bits < 16:
        return values
    most = 2**bits - 1
    if values.max(initial=0) > most:
        raise ValueError(f"values of more than {bits} bits")
    result = values.astype(np.uint32)
    result *= 65535
    result += most // 2
    result //= most
    return result.astype(np.uint16)


def divide_by_opacity(pixels: npt.NDArray[Any]) -> None:
    """Colours (H, W, 4) that were multiplied with the opacity as they were before, in place; hidden ones stay black."""
    is_float = pixels.dtype == np.float32
    most = 1.0 if is_float else float(np.iinfo(pixels.dtype).max)
    for rows in np.array_split(pixels, max(1, pixels.shape[0] // 256)):
        opacity = rows[:, :, -1:].astype(np.float64)
        colors = rows[:, :, :-1] * most
        np.divide(colors, opacity, out=colors, where=opacity > 0)
        rows[:, :, :-1] = colors if is_float else np.minimum(np.rint(colors), most)
