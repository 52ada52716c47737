"""What was a colour stays one: charts of every matrix, range and depth, and films that may lose nothing."""

import numpy as np
import pytest
from ffmpeg import frames, marks, pictures
from films import film
from films_through import CHARTS, through_same

# What holds the colours themselves, not only where they are read as RGB.
EXACT = ["h264_rgb", *(f"ffv1_{p}" for p in ("bgr0", "gbrp10le", "gbrp16le", "gray", "gray10le", "gray16le"))]
SAMPLED = ["h264", "h264_709", "hlg", "ffv1", "vp9", "h264_10bit", "ffv1_yuv422p", "ffv1_yuv422p10le", "h264_full"]


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        (kind, suffix)
        for kind in CHARTS
        for suffix in (".mkv", ".mp4", ".webm")
        if kind.endswith("_8") or suffix != ".webm"
    ],
)
def test_a_chart_keeps_its_colours_as_ffmpeg_reads_them(kind: str, suffix: str):
    """Within one level of 255, 4:4:4, and marked by the same numbers."""
    result = through_same(kind, suffix, "--lossless")
    before, after = (pictures(path, "rgb48le").astype(float) / 257 for path in (film(kind), result))
    assert np.abs(after - before).max() <= 1
    assert marks(result) == marks(film(kind))


@pytest.mark.parametrize("kind", EXACT)
def test_a_lossless_film_of_rgb_or_grey_is_equal_frame_by_frame(kind: str):
    result = through_same(kind, ".mkv", "--lossless")
    pixels = "gbrp" if "bgr" in kind or "rgb" in kind else kind.partition("_")[2]
    assert frames(result, f"format={pixels}") == frames(film(kind), f"format={pixels}")


@pytest.mark.parametrize("kind", [kind for kind in CHARTS if kind.endswith("_8")])
def test_a_lossless_film_with_a_colour_for_each_pixel_is_equal_frame_by_frame(kind: str):
    """Its colours are those of RGB: between the two are 16 bits, which tell every level of 8 apart."""
    assert frames(through_same(kind, ".mkv", "--lossless")) == frames(film(kind))


@pytest.mark.parametrize("kind", SAMPLED)
def test_a_lossless_film_with_a_colour_for_several_pixels_is_equal_frame_by_frame(kind: str):
    """Though the network sees a colour for each: what it does not change stays."""
    assert frames(through_same(kind, ".mkv", "--lossless")) == frames(film(kind))
