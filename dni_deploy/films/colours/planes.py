"""The memory of a frame as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def plane(frame: Any, number: int) -> npt.NDArray[Any]:
    """Plane `number` of an `av.VideoFrame` of a planar, RGB or grey format of the machine's byte order.

    Writable, as it is the frame's own memory: (H, W), or (H, W, C) where the plane holds C values of a pixel.
    """
    of, format_ = frame.planes[number], frame.format
    values = sum(each.plane == number for each in format_.components)
    dtype = np.dtype(np.uint8 if max(each.bits for each in format_.components) <= 8 else np.uint16)
    rows = np.frombuffer(of, dtype).reshape(of.height, of.line_size // dtype.itemsize)[:, : of.width * values]
    return rows if values == 1 else rows.reshape(of.height, of.width, values)
