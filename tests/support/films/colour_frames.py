"""Frames of films for tests of their colours, which are known by the standards' own formulas."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from dni_deploy.films.colours.conversion import Conversion, Values, Wanted
from dni_deploy.films.colours.planes import plane
from dni_deploy.films.film import Colours, Video

LIMITED, FULL = 1, 2
SHARES = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
"""Of red and of blue in the brightness, by the number of the matrix: BT.709, BT.601, SMPTE 240M and BT.2020."""


def video(pixels: str, colours: Colours | None = None, size: tuple[int, int] = (64, 48)) -> Video:
    """A film of that format, which says that it is BT.709 of a limited range where `colours` do not say otherwise."""
    return Video(0, "h264", *size, pixels, Fraction(1, 25), colours=colours or Colours(LIMITED, 1))


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


def noise(pixels: str, size: tuple[int, int] = (64, 48)) -> av.VideoFrame:
    """Every value that can be stored, beyond the range too, and next to each other what no camera and no RGB has."""
    frame, random = av.VideoFrame(*size, pixels), np.random.default_rng(0)
    bits = max(each.bits for each in frame.format.components)
    for number in range(len(frame.planes)):
        values = plane(frame, number)
        values[...] = random.integers(0, 1 << bits, size=values.shape)
        if pixels == "p010le":
            values[...] <<= 6
    return frame


def assert_equal(one: av.VideoFrame, other: av.VideoFrame) -> None:
    assert one.format.name == other.format.name
    for number in range(len(one.planes)):
        np.testing.assert_array_equal(plane(one, number), plane(other, number), err_msg=f"plane {number}")
