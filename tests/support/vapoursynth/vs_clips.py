"""Clips made of arrays and arrays of clips, for what runs in VapourSynth."""

from collections.abc import Callable
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def clip_of(frames: FloatArray) -> vs.VideoNode:
    """RGBS of (N, H, W, 3), GRAYS of (N, H, W)."""
    count, height, width = frames.shape[:3]
    blank = vs.core.std.BlankClip(
        format=vs.RGBS if frames.ndim == 4 else vs.GRAYS, width=width, height=height, length=count, keep=True
    )

    def fill(n: int, f: Any) -> Any:
        frame = f.copy()
        for plane in range(frame.format.num_planes):
            np.asarray(frame[plane])[:] = frames[n] if frames.ndim == 3 else frames[n, :, :, plane]
        return frame

    return vs.core.std.ModifyFrame(blank, blank, fill)


def pixels(frame: vs.VideoFrame) -> FloatArray:
    """Of one frame: (H, W, 3), or (H, W) where it is grey."""
    planes = [np.asarray(frame[plane]) for plane in range(frame.format.num_planes)]
    return planes[0].copy() if len(planes) == 1 else np.stack(planes, axis=-1)


def with_opacity(clip: vs.VideoNode, opacity: vs.VideoNode) -> vs.VideoNode:
    return vs.core.std.ClipToProp(clip, opacity, prop="_Alpha")


def with_property(clip: vs.VideoNode, name: str, value: Callable[[int], Any]) -> vs.VideoNode:
    """The clip, with a property of each frame by its number."""

    def set_it(n: int, f: Any) -> Any:
        frame = f.copy()
        frame.props[name] = value(n)
        return frame

    return vs.core.std.ModifyFrame(clip, clip, set_it)
