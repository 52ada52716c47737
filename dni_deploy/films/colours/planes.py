"""The memory of a frame as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dni_deploy.extras import import_av

if TYPE_CHECKING:
    from av import VideoFrame


def plane(frame: VideoFrame, number: int) -> npt.NDArray[Any]:
    """Plane `number` of an `av.VideoFrame` of a planar, RGB or grey format of the machine's byte order.

    Writable, as it is the frame's own memory: (H, W), or (H, W, C) where the plane holds C values of a pixel.
    """
    of, format_ = frame.planes[number], frame.format
    values = sum(each.plane == number for each in format_.components)
    bits = max(each.bits for each in format_.components)
    dtype: np.dtype[Any] = np.dtype(np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.float32)
    rows: npt.NDArray[Any] = np.frombuffer(memoryview(of), dtype).reshape(of.height, of.line_size // dtype.itemsize)[
        :, : of.width * values
    ]
    return rows if values == 1 else rows.reshape(of.height, of.width, values)


def recast(frame: VideoFrame, pixels: str, width: int, height: int) -> VideoFrame:
    """The same planes under another name of their pixel format, cut off or continued by what is at their edges.

    The frame itself where nothing is to be done.
    """
    if (frame.format.name, frame.width, frame.height) == (pixels, width, height):
        return frame
    other: VideoFrame = import_av().VideoFrame(width, height, pixels)
    for number in range(len(frame.planes)):
        source, result = plane(frame, number), plane(other, number)
        down, across = (np.minimum(np.arange(result.shape[axis]), source.shape[axis] - 1) for axis in (0, 1))
        result[...] = source if result.shape == source.shape else source[down][:, across]
    return other
