"""Before and after beside each other."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from onnx_models import picture
from PIL import Image

from dni_deploy.films.colours.turning import turn
from dni_deploy.films.film import Film, Index, Video
from dni_deploy.films.preview import SideBySide, preview_span

ONE = 1 << 16
UPRIGHT = (ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)
QUARTERS = {
    "right": (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30),
    "left": (0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30),
    "around": (-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30),
    "mirrored": (-ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30),
}


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 3), (6, 8, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_of_one_size_both_are_as_they_are(shape: tuple[int, ...], dtype: type):
    rng = np.random.default_rng(0)
    before, after = (rng.integers(0, np.iinfo(dtype).max, shape).astype(dtype) for _ in range(2))
    beside = SideBySide()
    both = beside(before, after)
    assert both.shape[:2] == beside.size(6, 8) == (6, 16)
    assert both.dtype == dtype
    np.testing.assert_array_equal(both[:, :8], before)
    np.testing.assert_array_equal(both[:, 8:], after)


@pytest.mark.parametrize("matrix", [UPRIGHT, *QUARTERS.values()], ids=["upright", *QUARTERS])
def test_a_viewer_sees_before_on_the_left_however_the_film_is_turned(matrix: tuple[int, ...]):
    before, after = np.full((6, 8, 3), 10, np.uint8), np.full((6, 8, 3), 20, np.uint8)
    beside = SideBySide(matrix)
    coded = beside(before, after)
    assert coded.shape[:2] == beside.size(6, 8)
    seen = turn(coded, matrix)
    left, right = np.split(seen, 2, axis=1)
    assert (left == 10).all()
    assert (right == 20).all()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_before_is_enlarged_as_players_do(channels: int, dtype: type):
    """As bicubic interpolation of Pillow has it, whose kernel is a little softer: within 2 of 255 in the mean."""
    small = np.array(Image.fromarray(picture(8, 6, 3)).resize((40, 30), Image.Resampling.LANCZOS))
    before = np.dstack([small, small])[..., :channels] if channels > 1 else small[..., 0]
    white = np.iinfo(dtype).max
    before = (before.astype(np.float64) / 255 * white).round().astype(dtype)
    after = np.zeros((60, 80, *before.shape[2:]), dtype)
    shown = SideBySide()(before, after)[:, :80]
    assert shown.dtype == dtype
    expected = np.array(Image.fromarray(small).resize((80, 60), Image.Resampling.BICUBIC)) / 255
    expected = np.dstack([expected, expected])[..., :channels] if channels > 1 else expected[..., 0]
    assert np.abs(shown / white - expected).mean() < 2 / 255
    even = SideBySide()(np.full_like(before, white), after)[:, :80]
    assert (white - even).max() <= (0 if dtype == np.uint8 else 8)  # swscale's numbers have 15 bits


def test_which_seconds_are_shown():
    pts = np.arange(250, dtype=np.int64) * 40 + 7000
    video = Video(0, "h264", 64, 64, "yuv420p", Fraction(1, 1000))
    film = Film(Path("film.mkv"), video, Index(pts, np.full(250, 40), pts[:1]))
    assert preview_span(film, 3) == (3.5, 6.5)
    assert preview_span(film, 3, 1.5) == (1.5, 4.5)
    assert preview_span(film, 30) == (0, 30)
