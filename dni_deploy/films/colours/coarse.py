"""Colours that are stored for several pixels at once, such as 4:2:0: their way to every pixel and back.

The way to every pixel is linear interpolation, as players do. Of the ways back, one undoes it exactly: shorter filters
blur, so that a film would lose colour with every pass even if its network changed nothing. FFmpeg's bicubic kernel
becomes that way back with the right two parameters, which follow from where the coarse values lie. In the middle of
two, weights at distances of 1/4, 3/4, 5/4 and 7/4 have to undo 3/4 and 1/4; on the first of two, those at 0, 1/2, 1 and
3/2 have to undo 1 and 1/2, as -1 2 6 2 -1 does, the low pass of lossless JPEG 2000.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dni_deploy.films.film import Video

from .meaning import FULL
from .pixel_format import PixelFormat, pixel_format
from .scaler import Step, resampled

_UNDO_BETWEEN = f"bicubic:param0={-63 / 22}:param1={-35 / 44}"
_UNDO_ON = "bicubic:param0=-1.5:param1=-0.25"
AS_IN_FILMS = "left"
_LIKE_JPEG = {"mjpeg", "mjpegb", "mpeg1video"}


def is_coarse(pixels: PixelFormat) -> bool:
    """Whether there are fewer colours than pixels."""
    return (pixels.across, pixels.down) != (1, 1)


def location(video: Video) -> str:
    """Where coarse colours lie across: JPEG's in the middle of their pixels, those of films on the first.

    By FFmpeg's name. Some UHD films have them on the first line, too, which FFmpeg's interface to Python does not tell:
    since the way there and back is the same, they stay where they are.
    """
    return "center" if video.codec in _LIKE_JPEG else AS_IN_FILMS


def even_size(pixels: PixelFormat, width: int, height: int) -> tuple[int, int]:
    """Width and height made up to whole colours: FFmpeg would spread half of one over the picture."""
    return -(-width // pixels.across) * pixels.across, -(-height // pixels.down) * pixels.down


def continued(picture: npt.NDArray[Any], width: int, height: int, lies: str) -> npt.NDArray[Any]:
    """A picture made up to `even_size`, so that what comes out for the colours at its edges is what went in."""
    for axis, more in ((0, height - picture.shape[0]), (1, width - picture.shape[1])):
        if more:
            edge = picture.take([-1], axis)
            if (axis == 0 or lies != AS_IN_FILMS) and picture.shape[axis] > 1:
                # The colour lies in the middle of two pixels, the last and the next, and goes to it unchanged.
                edge = _like(1.5 * edge.astype(np.float32) - 0.5 * picture.take([-2], axis), picture.dtype)
            picture = np.concatenate([picture, *[edge] * more], axis)
    return picture


def _like(values: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    fitting = values if dtype.kind == "f" else np.clip(np.rint(values), 0, np.iinfo(dtype).max)
    return fitting.astype(dtype)


def whole(pixels: PixelFormat) -> PixelFormat:
    """The format of 16 bits with everything for each pixel, in which sizes change.

    Coarse colours are on their way in it both times; its range is then limited.
    """
    return pixel_format(replace(pixels, depth=16).planar)


def to_whole(pixels: PixelFormat, range_: int, lies: str) -> list[Step]:
    """From the format to `whole`. range_: of the values, see `Colours`. lies: `location`."""
    steps, places = resampled(whole(pixels).name, "bilinear", location=lies), _places(pixels, range_)
    if all(each.unit == each.whole_unit for each in places):
        return steps
    # All planes are named: others would be cut to what their range allows.
    fit = ":".join(
        f"{each.plane}=(val-{each.zero})*{each.whole_unit / each.unit}+{each.whole_zero + 0.5}" for each in places
    )
    return [*steps, Step("lutyuv", fit)]


def from_whole(pixels: PixelFormat, range_: int, lies: str, *, undo: bool) -> list[Step]:
    """From `whole` to the format. undo: exactly the way back of `to_whole`; else as FFmpeg makes colours coarse."""
    # FFmpeg dithers where it cuts bits off, whatever it is told: so nothing is left there to cut.
    part, most = 1 << (16 - pixels.depth), _most(pixels)
    fit = ":".join(
        f"{each.plane}=min({most},{part}*floor("
        f"((val-{each.whole_zero})*{each.unit / each.whole_unit}+{each.zero})/{part}+0.5))"
        for each in _places(pixels, range_)
    )
    cut = [Step("lutyuv", fit), *resampled(pixels.plain, "bicubic", location=lies)]
    if pixels.chroma not in ("4:2:0", "4:2:2"):
        return cut  # FFmpeg has no 16 bits of others
    made = _planar(pixels, pixels.chroma)
    if not undo:
        return resampled(made, "bicubic", location=lies) + cut
    steps = resampled(_planar(pixels, "4:2:2"), _UNDO_ON if lies == AS_IN_FILMS else _UNDO_BETWEEN, location=lies)
    if pixels.down == 2:
        steps += resampled(made, _UNDO_BETWEEN, location=lies)
    return steps + cut


class _Place(NamedTuple):
    """Where the values of a plane begin and how far they go: as they are stored, zeros at their end, and in `whole`."""

    plane: str
    zero: int
    unit: int
    whole_zero: int
    whole_unit: int


def _places(pixels: PixelFormat, range_: int) -> list[_Place]:
    most = _most(pixels)
    if range_ == FULL:
        # Not stretched to all of 16 bits, where its greatest colours would not fit by half a value.
        colours = [_Place("y", 0, most, 16 << 8, 219 << 8)]
        colours += [_Place(plane, 128 << 8, most, 128 << 8, 224 << 8) for plane in "uv"]
    else:
        colours = [_Place(plane, 0, 1, 0, 1) for plane in "yuv"]
    return colours + [_Place("a", 0, most, 0, 2**16 - 1)] * pixels.opacity


def _most(pixels: PixelFormat) -> int:
    return ((1 << pixels.depth) - 1) << (16 - pixels.depth)


def _planar(pixels: PixelFormat, chroma: str) -> str:
    return f"yuv{'a' * pixels.opacity}{chroma.replace(':', '')}p16le"
