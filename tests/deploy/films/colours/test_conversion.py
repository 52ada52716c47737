"""Frames to pictures and back: right by the standards' own formulas, and nothing lost where nothing may be lost."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from colour_frames import FULL, LIMITED, SHARES, conversion, frame_of, noise, shown, stored, video

from dni_deploy.films.colours.conversion import Values, values_of
from dni_deploy.films.colours.meaning import to_write
from dni_deploy.films.colours.planes import plane
from dni_deploy.films.film import Colours
from dni_runtime import ModelError

DEPTHS = {"yuv444p": 8, "yuv444p10le": 10, "yuv444p12le": 12}


@pytest.mark.parametrize("matrix", SHARES)
@pytest.mark.parametrize("range_", [LIMITED, FULL])
@pytest.mark.parametrize("pixels", DEPTHS)
def test_colours_are_those_of_the_standard(pixels: str, range_: int, matrix: int) -> None:
    """Pictures within rounding, 8 bits and 16, and the frames that are made of colours equal but where it is close."""
    rgb = np.random.default_rng(matrix).random((48, 64, 3))
    rgb[:2, :4] = np.reshape([[r, g, b] for r in (0, 1) for g in (0, 1) for b in (0, 1)], (2, 4, 3))
    marks, bits = Colours(range_, matrix, 9, 16), DEPTHS[pixels]
    planes = stored(rgb, matrix, range_, bits)
    right = np.clip(shown(planes, matrix, range_, bits), 0, 1)

    for values, most in (("uint8", 255), ("uint16", 65535)):
        both = conversion(video(pixels, marks), values)  # type: ignore[arg-type]
        picture = both.to_picture(frame_of(planes, pixels, marks))
        assert picture.dtype == values
        np.testing.assert_allclose(picture, right * most, atol=0.51 if most == 255 else 1)
        given = np.round(rgb * most)
        made = both.to_frame(given.astype(values), 3)
        got = np.stack([plane(made, number) for number in range(3)], axis=-1).astype(int)
        expected = stored(given / most, matrix, range_, bits)
        np.testing.assert_allclose(got, expected, atol=1)
        assert np.mean(got != expected) < 0.002, "but for what lies in the middle of two values"
        assert (made.pts, made.time_base, made.color_range, made.colorspace) == (3, Fraction(1, 25), range_, matrix)
        assert (made.color_primaries, made.color_trc) == (9, 16)


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p"])
def test_eight_bits_cost_colours_less_than_two_values(pixels: str) -> None:
    """A soft film whose pictures are uint8, and no network: no value moves by more than rounding to RGB makes it."""
    film = video(pixels)
    frame = av.VideoFrame(64, 48, pixels)
    for number in range(3):
        values = plane(frame, number)
        down, across = np.indices(values.shape)
        values[...] = 128 + 40 * np.sin(number + across / 5) * np.cos(down / 4)
    both = conversion(film, "uint8")

    back = both.to_frame(both.to_picture(frame), 0)

    for number in range(3):
        difference = plane(back, number).astype(int) - plane(frame, number)
        assert abs(difference).max() <= 1, number
        assert abs(difference.mean()) < 0.02, "rounded to the nearest, not down"


@pytest.mark.parametrize("size", [(48, 36), (64, 48), (33, 25)])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p10le", "gbrp", "gray"])
def test_other_sizes_keep_the_colour(pixels: str, size: tuple[int, int]) -> None:
    """A picture twice as large as the film's, made another size or left, and that frame amid the film."""
    film = video(pixels, size=(32, 24))
    both = conversion(film, values_of(film), width=size[0], height=size[1])
    channels = () if pixels == "gray" else (3,)
    colour = np.array(200) if pixels == "gray" else np.array([200, 120, 40])
    picture = np.broadcast_to(colour, (48, 64, *channels)) * (257 if "10" in pixels else 1)
    picture = picture.astype(values_of(film))

    frame = both.to_frame(picture, 0)

    assert (frame.width, frame.height, frame.format.name) == (*size, pixels)
    shown = both.to_picture(frame)
    assert shown.shape == (24, 32, *channels)
    np.testing.assert_allclose(shown / (257 if "10" in pixels else 1), np.broadcast_to(colour, shown.shape), atol=1.5)


def test_a_frame_of_other_pixels_amid_a_film_is_made_like_the_others() -> None:
    film = video("yuv420p")
    both = conversion(film, "uint8")
    frame = frame_of(stored(np.full((48, 64, 3), 0.5), 1, LIMITED, 10), "yuv444p10le", film.colours)

    picture = both.to_picture(frame)

    assert (picture.dtype, picture.shape) == ("uint8", (48, 64, 3))
    np.testing.assert_allclose(picture, 128, atol=1)


def test_a_network_of_not_a_number_is_told_of() -> None:
    both = conversion(video("yuv420p"), "float32")
    picture = np.full((48, 64, 3), 0.5, np.float32)
    picture[7, 7, 1] = np.nan

    with pytest.raises(ModelError, match=r"the network's output holds NaN"):
        both.to_frame(picture, 0)


@pytest.mark.parametrize("pixels", ["yuv420p", "gbrp", "rgb24", "yuv444p10le"])
def test_small_and_odd_sizes_are_converted_within_their_memory(pixels: str) -> None:
    """FFmpeg's new code writes beyond frames that it is not given with care: that ended the process."""
    for width in (2, 16, 33, 48, 64, 95):
        size = (width, 7)
        film = video(pixels, size=size)
        both = conversion(film, values_of(film))
        for _ in range(3):
            frame = both.to_frame(both.to_picture(noise(pixels, size)), 0)
        assert (frame.width, frame.height) == size


@pytest.mark.parametrize(
    ("source", "values"), [("rgb24", "uint8"), ("rgb48le", "uint16"), ("yuv422p10le", "float32"), ("gray", "uint8")]
)
@pytest.mark.parametrize(
    "pixels",
    [
        "yuv420p",
        "yuv444p10le",
        "yuv411p",
        "yuv440p",
        "nv12",
        "p010le",
        "yuva420p",
        "gbrp",
        "bgr0",
        "rgb48le",
        "gray10le",
    ],
)
def test_a_colour_is_the_same_in_every_format(pixels: str, source: str, values: Values) -> None:
    """A film of one format that is encoded in another: a picture of grey and one of a colour."""
    film = video(source, Colours())
    colours = to_write(film, pixels, film.height)
    grey = source == "gray" or pixels.startswith("gray")
    rgb = np.array([0.5] * 3 if grey else [0.8, 0.5, 0.2])
    most = {"uint8": 255, "uint16": 65535, "float32": 1}[values]
    picture = np.broadcast_to(rgb * most, (48, 64, 3)).astype(values)

    frame = conversion(film, values, pixels=pixels, colours=colours).to_frame(
        picture[..., 0] if source == "gray" else picture, 0
    )

    shown = conversion(video(pixels, colours), "uint16").to_picture(frame)
    shown = shown[..., None] if shown.ndim == 2 else shown[..., :3]
    np.testing.assert_allclose(shown / 65535 * 255, np.broadcast_to(rgb[: shown.shape[2]] * 255, shown.shape), atol=1.6)
    if "yuva" in pixels:
        np.testing.assert_array_equal(plane(frame, 3), 255)


def test_a_frame_is_turned_where_the_file_cannot_say_so() -> None:
    """By a quarter to the right: what lies at the left comes to the top."""
    film = video("yuv420p")
    both = conversion(film, "uint8", width=48, height=64, turn=(0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30))
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :16] = 255

    bright = plane(both.to_frame(picture, 0), 0)

    assert bright.shape == (64, 48)
    assert bright[:16].min() == 235
    assert bright[16:].max() == 16
