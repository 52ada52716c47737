"""The films: photographs that the bundled pair never saw, moved about, with grain; and small ones for the memory."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ffmpeg import EXACT, encode, ffmpeg
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "demo_pair"))
from photographs import HELD_OUT, noisy

SIZE = 360, 640
# So few a second that a film of seconds has parts that are joined.
RATE = 12
SECONDS = 6
GRAIN = 15
# How far a shot travels, in pixels.
_TRAVEL = 80
_MARKED = f"scale=out_color_matrix=bt709:out_range=tv:{EXACT},setparams=colorspace=bt709:range=tv"


def shots(size: tuple[int, int] = SIZE, frames: int = RATE * SECONDS) -> Iterator[NDArray[np.uint8]]:
    """Frames of RGB: a shot of each photograph, grain of sigma GRAIN in every frame anew."""
    height, width = size
    each = -(-frames // len(HELD_OUT))
    for number in range(frames):
        place = _TRAVEL * (number % each) // each
        picture = _enlarged(number // each, (height + _TRAVEL // 2, width + _TRAVEL))
        window = picture[place // 2 : place // 2 + height, place : place + width]
        yield (noisy(window, GRAIN, number).clip(0, 1) * 255).round().astype(np.uint8)


def _enlarged(shot: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """A photograph that fills `size`, cut to it."""
    pixels = (HELD_OUT[shot].pixels() * 255).round().astype(np.uint8)
    factor = max(wanted / side for wanted, side in zip(size, pixels.shape[:2], strict=True))
    height, width = (max(round(side * factor), wanted) for side, wanted in zip(pixels.shape[:2], size, strict=True))
    large = Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(large, np.float32)[: size[0], : size[1]] / np.float32(255)


def grainy(film: Path) -> Path:
    """As a camera or a DVD gives it: H.264, 8 bits, 4:2:0, a keyframe each second."""
    options = ("-vf", _MARKED, "-pix_fmt", "yuv420p", "-c:v", "libx264", "-crf", "14", "-g", str(RATE))
    encode(shots(), SIZE, RATE, film, *options)
    return film


def small(film: Path, frames: int) -> Path:
    """Pictures of 64 x 48 that all differ."""
    source = f"testsrc2=size=64x48:rate=25:duration={frames / 25}"
    ffmpeg("-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", "-c:v", "libx264", "-g", 25, film)
    return film
