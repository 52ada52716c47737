"""An integer image on its way through a network: tiles read as floats or integers, results written as integers."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from .conversion import IntegerImage, copy_pixels, from_batch, split_opacity, to_batch, to_float, write_integers

FloatArray = npt.NDArray[np.float32]


class Picture:
    """The image that goes in, and the one that comes out; nothing else of their size is held.

    samples:  how many images of the batch one tile is: one or three for the colours (see `to_batch`), and one more
              for opacity where the network has to enlarge it.
    as_it_is: whether the network takes the colours as they are, and its output is the result's: then both may be
              integers (`read_integers`). Else channels are copied and averaged, which takes floats.
    """

    def __init__(self, image: IntegerImage, channels: int, scale: Fraction, value_range: tuple[float, float]) -> None:
        self._colors, self._opacity = split_opacity(image)
        self._channels, self._scale, self._range = channels, scale, value_range
        self._flat = image.ndim == 2
        self._color_samples = len(to_batch(self._colors, channels))
        opacity = self._opacity
        self._runs_opacity = opacity is not None and scale != 1 and bool(opacity.min() != opacity.max())
        self.samples = self._color_samples + self._runs_opacity
        self.as_it_is = channels == self._colors.shape[2] and not self._runs_opacity
        self._result: IntegerImage | None = None

    @property
    def result(self) -> IntegerImage:
        """The image that comes out, once every pixel is written."""
        assert self._result is not None
        return self._result[:, :, 0] if self._flat and self._result.shape[2] == 1 else self._result

    def read(self, top: int, left: int, height: int, width: int) -> FloatArray:
        """A tile as float32 (samples, channels, height, width); reflected beyond the bottom and right end."""
        batch = to_batch(_cut_out(self._colors, top, left, height, width), self._channels)
        if self._opacity is not None and self._runs_opacity:
            opacity = to_batch(_cut_out(self._opacity, top, left, height, width), self._channels)
            batch = np.concatenate([batch, opacity])
        return to_float(batch, self._range)

    def read_integers(self, top: int, left: int, height: int, width: int) -> IntegerImage:
        """As `read`, in the image's own dtype; lies in memory as (samples, height, width, channels)."""
        tile = np.ascontiguousarray(_cut_out(self._colors, top, left, height, width))
        return to_batch(tile, self._channels)

    def write(self, y: npt.NDArray[Any], top: int, left: int) -> None:
        """Write the network's output (samples, C', h, w) from (top, left) on; drops what lies beyond the ends.

        `y`: float32, which is overwritten, or of the image's own dtype if it was read so. Raises InputError if it is
        no image, ModelError if it holds NaN.
        """
        count = self._color_samples
        colors = from_batch(y[:count], self._colors.shape[2], self._channels)
        if self._result is None:
            self._result = self._new_result(colors.shape[2])
        out = self._result[top : top + y.shape[2], left : left + y.shape[3]]
        height, width = out.shape[:2]
        if y.dtype == out.dtype:
            return copy_pixels(colors[:height, :width], out[:, :, :3])
        write_integers(colors[:height, :width], out[:, :, :3], self._range)
        if self._runs_opacity:
            opacity = from_batch(y[count:], 1, self._channels)
            write_integers(opacity[:height, :width], out[:, :, 3:], self._range)

    def _new_result(self, colors: int) -> IntegerImage:
        """An image of unknown colours, with those of opacity that the network does not run."""
        height, width = (math.ceil(size * self._scale) for size in self._colors.shape[:2])
        opacity = self._opacity
        # Not np.empty, whose pixels are what lay in memory before, another user's picture maybe: what no tile covers,
        # by whatever fault, is black.
        result = np.zeros((height, width, colors if opacity is None else 4), self._colors.dtype)
        if opacity is not None and not self._runs_opacity:
            result[:, :, 3:] = opacity if self._scale == 1 else opacity.flat[0]
        return result


def _cut_out(image: IntegerImage, top: int, left: int, height: int, width: int) -> IntegerImage:
    """The part of `image` from (top, left) on, reflected beyond its ends as often as it takes; a view if it can be."""
    part = image[top : top + height, left : left + width]
    if part.shape[:2] == (height, width):
        return part
    return image[_reflect(top, height, image.shape[0])[:, None], _reflect(left, width, image.shape[1])]


def _reflect(start: int, length: int, size: int) -> npt.NDArray[np.intp]:
    """Indices of `length` pixels from `start` on of an axis of `size`: 0 1 2 1 0 1 ... for size 3."""
    period = max(1, 2 * (size - 1))
    indices = np.arange(start, start + length) % period
    return np.minimum(indices, period - indices)
