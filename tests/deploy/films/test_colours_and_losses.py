"""What was a colour stays one: charts of every matrix, range and depth, and films that may lose nothing."""

import re

import numpy as np
import pytest
from ffmpeg import frames, marks, pictures, streams
from films import film
from films_through import CHARTS, GOOD, copied, through_same

DROPPED = {"mov_text": ("--drop", "subtitles")}  # which Matroska does not hold
ORDERS = {"h264_rgb": "gbrp", "png_rgba": "rgba", "png_pal8": "gbrp", "raw_nv12": "yuv420p"}
"""Of pixels that FFV1 stores in another order, the order in which they are compared."""


# VP9 is lossless with 8 bits only.
@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        *((kind, suffix) for kind in CHARTS for suffix in (".mkv", ".mp4")),
        *((kind, ".webm") for kind in CHARTS if kind.endswith("_8")),
    ],
)
def test_a_chart_keeps_its_colours_as_ffmpeg_reads_them(kind: str, suffix: str):
    """Within one level of 255, 4:4:4, and marked by the same numbers."""
    result = through_same(kind, suffix, "--lossless")
    before, after = (pictures(path, "rgb48le").astype(float) / 257 for path in (film(kind), result))
    assert np.abs(after - before).max() <= 1
    assert marks(result) == marks(film(kind))


@pytest.mark.parametrize("kind", [*CHARTS, *GOOD])
def test_a_lossless_film_is_equal_frame_by_frame(kind: str):
    """Though the network sees a colour for each pixel, and RGB: what it does not change stays, in every sample."""
    result = through_same(kind, ".mkv", "--lossless", *DROPPED.get(kind, ()))
    order = [f"format={ORDERS[kind]}"] if kind in ORDERS else []
    before, after = frames(film(kind), *order), frames(result, *order)
    assert [frame.content for frame in after] == [frame.content for frame in before]


@pytest.mark.parametrize("kind", ["vp9_yuva", "prores_yuva", "png_rgba", "ffv1_bgra", "ffv1_yuva420p"])
def test_opacity_is_kept(kind: str):
    before, after = (pictures(path, "rgba")[..., 3].astype(int) for path in (film(kind), copied(kind)))
    assert before.min() < 100 or kind.startswith("ffv1")  # those fade in
    assert np.abs(after - before).max() <= 3


def test_a_film_of_more_than_8_bits_keeps_them():
    """Its result has 10, and levels between those of 8."""
    result = copied("ffv1_gray16le")
    assert re.search(r"yuv420p10le\(", streams(result)[0])
    levels = np.unique(pictures(result, "gray16le") >> 6)
    assert (levels % 4 != 0).sum() > 50
