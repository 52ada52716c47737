"""Films of given pictures."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from ffmpeg import ffmpeg


def drawn(place: Path, pictures: Iterable[npt.NDArray[np.uint8]], *, rate: int = 10) -> Path:
    """A film, .mkv, that shows `pictures`, (H, W, 3) RGB of one size, exactly; each frame is a keyframe."""
    whole = np.stack([*pictures])
    raw = place.with_suffix(".raw")
    raw.write_bytes(whole.tobytes())
    size = f"{whole.shape[2]}x{whole.shape[1]}"
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", rate, "-i", raw]
    ffmpeg(*source, "-c:v", "ffv1", "-level", "3", "-pix_fmt", "gbrp", place)
    raw.unlink()
    return place
