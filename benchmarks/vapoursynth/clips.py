"""Frames in memory as endless clips, and how a program takes frames out of one."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def endless(frames: Sequence[FloatArray]) -> Any:
    """RGBS of (H, W, 3) over and over; each frame is made once, so that the source costs next to nothing."""
    import vapoursynth as vs

    height, width, _ = frames[0].shape
    blank = vs.core.std.BlankClip(format=vs.RGBS, width=width, height=height, length=len(frames), keep=True)

    def fill(n: int, f: Any) -> Any:
        frame = f.copy()
        for plane in range(3):
            np.asarray(frame[plane])[:] = frames[n][:, :, plane]
        return frame

    return _kept(vs.core.std.ModifyFrame(blank, blank, fill)).std.Loop(0)


def strengths(alphas: Sequence[float], like: Any) -> Any:
    """The second clip of a plane file: GRAYS of one alpha a frame, over and over."""
    import vapoursynth as vs

    size = {"format": vs.GRAYS, "width": like.width, "height": like.height, "length": 1, "keep": True}
    return _kept(vs.core.std.Splice([vs.core.std.BlankClip(**size, color=alpha) for alpha in alphas])).std.Loop(0)


def _kept(clip: Any) -> Any:
    """Every frame of it stays in the cache once it was made."""
    clip.std.SetVideoCache(mode=1, fixedsize=1, maxsize=clip.num_frames)
    list(clip.frames(close=True))
    return clip


def mlrt(clips: Sequence[Any], path: Path, **options: Any) -> Any:
    """vs-mlrt's filter."""
    import vapoursynth as vs

    return vs.core.ort.Model(clips, str(path), provider="CPU", **options)


def take(clip: Any, start: int, count: int, requests: int) -> float:
    """As an encoder takes frames: in order, `requests` of them on their way at once.

    Returns when the last was there; to put the generator away takes 25 ms more.
    """
    for _ in clip[start : start + count].frames(prefetch=requests, close=True):
        there = time.perf_counter()
    return there


def pixels(frame: Any) -> FloatArray:
    """(H, W, 3) of an RGBS frame."""
    return np.stack([np.asarray(frame[plane]) for plane in range(3)], axis=2)
