"""Pictures of films are what the ffmpeg program makes of them."""

import numpy as np
import pytest
from ffmpeg import pictures
from films import film

from dni_deploy.films.colours.conversion import Conversion, values_of
from dni_deploy.films.film import Part
from dni_deploy.films.source.frames import Frames
from dni_deploy.films.source.probe import look_at

CHARTS = [
    f"chart_{matrix}_{limits}_{bits}" for matrix in (601, 709, 2020) for limits in ("tv", "pc") for bits in (8, 10)
]
PACKED = [
    "png_rgba",
    "png_pal8",
    "gif",
    "ffv1_bgr0",
    "ffv1_bgra",
    "h264_rgb",
    "ffv1_gbrp10le",
    "ffv1_gray",
    "ffv1_gray10le",
]


@pytest.mark.parametrize("kind", [*CHARTS, *PACKED])
def test_pictures_are_within_one_level_of_255(kind: str) -> None:
    seen = look_at(film(kind))
    conversion = Conversion(seen.video, values_of(seen.video))
    with Frames(seen) as frames:
        made = [conversion.to_picture(frame) for frame in frames.read(Part(0, -(2**40), 2**40))]
    pixels, level = (
        ("rgba" if made[0].shape[2:] == (4,) else "rgb24", 1) if made[0].dtype == np.uint8 else ("rgb48le", 257)
    )
    got, expected = np.stack(made).reshape(len(made), *made[0].shape[:2], -1), pictures(film(kind), pixels)

    assert np.abs(got / level - expected / level).max() <= 1
