"""Frames to pictures and back: right by the standards' own formulas, and nothing lost where nothing may be lost."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from dni_deploy.films.colours.conversion import Conversion, Values, Wanted, values_of
from dni_deploy.films.colours.planes import plane
from dni_deploy.films.film import Colours, Video
from dni_runtime import ModelError

LIMITED, FULL = 1, 2
SHARES = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
"""Of red and of blue in the brightness, by the number of the matrix: BT.709, BT.601, SMPTE 240M and BT.2020."""
DEPTHS = {"yuv444p": 8, "yuv444p10le": 10, "yuv444p12le": 12}


def video(pixels: str, colours: Colours = Colours(LIMITED, 1), size: tuple[int, int] = (64, 48)) -> Video:  # noqa: B008
    return Video(0, "h264", *size, pixels, Fraction(1, 25), colours=colours)


def conversion(film: Video, values: Values, **wanted: Any) -> Conversion:
    """Both ways, to frames of the same kind where `wanted` does not say otherwise."""
    return Conversion(film, values, Wanted(**{"pixels": film.pixels, "colours": film.colours, **sides(film), **wanted}))


def sides(film: Video) -> dict[str, int]:
    return {"width": film.width, "height": film.height}


def stored(rgb: npt.NDArray[Any], matrix: int, range_: int, bits: int) -> npt.NDArray[np.int64]:
    """Brightness and colour differences of colours from 0 to 1, as ITU-T H.273 has them; the last axis is 3."""
    red, blue = SHARES[matrix]
    brightness = rgb @ np.array([red, 1 - red - blue, blue])
    differences = (rgb[..., 2] - brightness) / (2 - 2 * blue), (rgb[..., 0] - brightness) / (2 - 2 * red)
    unit = 1 << (bits - 8)
    (most, most_colour), zero = scales(range_, bits)
    values = brightness * most + zero, *(each * most_colour + 128 * unit for each in differences)
    return np.clip(np.round(np.stack(values, axis=-1)), 0, (1 << bits) - 1).astype(np.int64)


def shown(planes: npt.NDArray[Any], matrix: int, range_: int, bits: int) -> npt.NDArray[np.float64]:
    """The way back: colours from 0 to 1, and beyond where there are none."""
    (red, blue), (most, most_colour), zero = SHARES[matrix], *scales(range_, bits)
    brightness = (planes[..., 0] - zero) / most
    differences = (planes[..., 1:] - (128 << (bits - 8))) / most_colour
    reds, blues = brightness + (2 - 2 * red) * differences[..., 1], brightness + (2 - 2 * blue) * differences[..., 0]
    return np.stack([reds, (brightness - red * reds - blue * blues) / (1 - red - blue), blues], axis=-1)


def scales(range_: int, bits: int) -> tuple[tuple[int, int], int]:
    """How far brightness and colours go, and where black is."""
    unit = 1 << (bits - 8)
    return ((219 * unit, 224 * unit), 16 * unit) if range_ == LIMITED else (((1 << bits) - 1,) * 2, 0)


def frame_of(planes: npt.NDArray[Any], pixels: str, marks: Colours) -> av.VideoFrame:
    frame = av.VideoFrame(planes.shape[1], planes.shape[0], pixels)
    for number in range(3):
        plane(frame, number)[...] = planes[..., number]
    frame.color_range, frame.colorspace = marks.range, marks.matrix
    frame.color_primaries, frame.color_trc = marks.primaries, marks.transfer
    return frame


def noise(pixels: str, size: tuple[int, int] = (64, 48), *, full: bool = True) -> av.VideoFrame:
    """Every value that can be stored, and next to each other what no camera and no RGB has."""
    frame, random = av.VideoFrame(*size, pixels), np.random.default_rng(0)
    bits = max(each.bits for each in frame.format.components)
    for number in range(len(frame.planes)):
        values = plane(frame, number)
        below = (0, 1 << bits) if full or number == 3 else (16 << (bits - 8), 236 << (bits - 8))
        values[...] = random.integers(*below, size=values.shape)
        if pixels == "p010le":
            values[...] &= 0xFFC0
    return frame


def assert_equal(one: av.VideoFrame, other: av.VideoFrame) -> None:
    assert one.format.name == other.format.name
    for number in range(len(one.planes)):
        np.testing.assert_array_equal(plane(one, number), plane(other, number), err_msg=f"plane {number}")


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
    frame = noise(film.pixels, full=range_ == FULL or pixels.startswith("yuvj"))
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


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p10le", "gbrp", "gray"])
def test_other_sizes_keep_the_colour(pixels: str) -> None:
    """A picture twice as large, made three halves of it, and a frame of another size and format amid a film."""
    film = video(pixels, size=(32, 24))
    both = conversion(film, values_of(film), width=48, height=36)
    channels = () if pixels == "gray" else (3,)
    colour = np.array(200) if pixels == "gray" else np.array([200, 120, 40])
    picture = np.broadcast_to(colour, (48, 64, *channels)) * (257 if "10" in pixels else 1)
    picture = picture.astype(values_of(film))

    frame = both.to_frame(picture, 0)

    assert (frame.width, frame.height, frame.format.name) == (48, 36, pixels)
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
