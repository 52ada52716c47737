"""Films that may lose nothing: every value comes back, of a network that returns its input."""

from __future__ import annotations

import dataclasses

import pytest
from colour_frames import FULL, LIMITED, assert_equal, conversion, noise, video

from dni_deploy.films.colours.conversion import values_of
from dni_deploy.films.film import Colours

EXACT = (
    *("yuv420p", "yuv422p", "yuv444p", "yuvj420p", "nv12", "uyvy422", "yuv420p10le", "p010le", "yuv422p12le"),
    *("yuv444p16le", "yuva420p", "yuva444p10le"),
)


@pytest.mark.parametrize("range_", [LIMITED, FULL])
@pytest.mark.parametrize("pixels", EXACT)
def test_without_loss_every_value_comes_back(pixels: str, range_: int) -> None:
    """Of frames that are noise: colours that RGB does not hold, and coarse ones that change from value to value.

    What frames say themselves, here BT.709 and PQ, converts nothing.
    """
    marks = Colours(range_, 1, 1, 16)
    film = video("yuv422p" if pixels == "uyvy422" else pixels, marks)
    frame = noise(film.pixels)
    if pixels == "uyvy422":
        frame = frame.reformat(format=pixels)
        film = dataclasses.replace(film, pixels=pixels)
    frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc = 1, 1, 1, 16
    assert values_of(film, lossless=True) == "float32"
    both = conversion(film, "float32", **({"pixels": "yuv422p"} if pixels == "uyvy422" else {}))

    picture = both.to_picture(frame)

    assert picture.shape == (48, 64, 4 if "yuva" in pixels else 3)
    assert picture[..., :3].min() < -0.1, "colours beyond RGB's are kept"
    back = both.to_frame(picture, 0)
    assert_equal(back, frame.reformat(format="yuv422p") if pixels == "uyvy422" else frame)


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize(
    "pixels",
    ["gray", "gray10le", "gray16le", "gbrp", "gbrp10le", "gbrp16le", "gbrap", "rgb24", "bgra", "rgb48le", "ya8"],
)
def test_rgb_and_grey_come_back_as_they_were(pixels: str, lossless: bool) -> None:
    """So do opacity, and grey as grey: a picture of one channel."""
    film, frame = video(pixels, Colours(FULL, 0)), noise(pixels)
    both = conversion(film, values_of(film, lossless=lossless))

    picture = both.to_picture(frame)

    assert picture.shape[2:] == (() if pixels.startswith("gray") else (4,) if "a" in pixels else (3,))
    assert picture.dtype == ("uint16" if lossless or "le" in pixels else "uint8")
    assert_equal(both.to_frame(picture, 0), frame)


@pytest.mark.parametrize("codec", ["vp9", "mjpeg"])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p10le", "nv12", "yuva420p", "yuvj420p"])
@pytest.mark.parametrize("size", [(63, 47), (64, 47), (63, 48), (15, 13)])
def test_half_colours_at_the_edges_of_odd_sizes_come_back(size: tuple[int, int], pixels: str, codec: str) -> None:
    """Where colours lie in the middle of their pixels, too, as JPEG's do."""
    film = dataclasses.replace(video(pixels, Colours(LIMITED, 1), size), codec=codec)
    frame = noise(pixels, size)
    both = conversion(film, "float32")

    assert_equal(both.to_frame(both.to_picture(frame), 0), frame)
