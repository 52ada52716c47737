"""An image on its way through a network: tiles read as floats or integers, results written as what the image is."""

import functools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from .conversion import (
    Image,
    IntegerImage,
    clamped,
    copy_pixels,
    from_batch,
    split_opacity,
    to_batch,
    to_float,
    white_of,
    write_pixels,
)
from .pixels.edges import cut_out
from .pixels.hidden_colors import HiddenColors

FloatArray = npt.NDArray[np.float32]
CutOut = Callable[[int, int, int, int], Image]


class Picture:
    """The image that goes in, and the one that comes out; nothing else of their size is held.

    channels: of the network; None where it takes those of the image.
    margin:   of a seamless tile: how many of its own pixels, from its other end, the network sees beyond each end. The
              network's pixels are then counted from (-margin, -margin) on. 0 where the image is none; it is reflected
              beyond the bottom and right end.
    bits:     of its integers, where they are not those of the dtype.

    samples:  how many images of the batch one tile is: one or three for the colours (see `to_batch`), and one more
              for opacity where the network has to enlarge it.
    as_it_is: whether the network takes the colours as they are, and its output is the result's: then both may be
              integers (`read_integers`). Else channels are copied and averaged, or are floats, which takes floats.
    """

    def __init__(
        self,
        image: Image,
        channels: int | None,
        scale: Fraction,
        value_range: tuple[float, float],
        margin: int = 0,
        bits: int | None = None,
    ) -> None:
        self._colors, self._opacity = split_opacity(image)
        self._white = white_of(image, bits)
        self._channels, self._scale, self._range = channels or self._colors.shape[2], scale, value_range
        self._margin, self._wraps = margin, margin > 0
        self._flat = image.ndim == 2
        self._in_planes = self._colors.strides[2] > self._colors.strides[1]
        self._color_samples = len(to_batch(self._colors, self._channels))
        self._cut_out = functools.partial(cut_out, wrap=self._wraps)
        self._cut_colors: CutOut = functools.partial(self._cut_out, self._colors)
        self._runs_opacity = self._hides = False
        if (opacity := self._opacity) is not None:
            least, most = clamped(np.array([opacity.min(), opacity.max()]))
            self._runs_opacity = scale != 1 and bool(least != most)
            self._hides = bool(least <= 0 < most)
            if self._hides:
                self._cut_colors = HiddenColors(self._colors, opacity, self._white, wrap=self._wraps).cut_out
        self.samples = self._color_samples + self._runs_opacity
        same_channels = self._channels == self._colors.shape[2]
        self.as_it_is = same_channels and image.dtype != np.float32 and not self._runs_opacity
        self._result: Image | None = None

    @property
    def result(self) -> Image:
        """The image that comes out, once every pixel is written."""
        assert self._result is not None
        return self._result[:, :, 0] if self._flat and self._result.shape[2] == 1 else self._result

    def read(self, top: int, left: int, height: int, width: int) -> FloatArray:
        """A tile as float32 (samples, channels, height, width); beyond the ends as `margin` says."""
        place = (top - self._margin, left - self._margin, height, width)
        batch = to_batch(self._cut_colors(*place), self._channels)
        if self._opacity is not None and self._runs_opacity:
            opacity = to_batch(self._cut_out(self._opacity, *place), self._channels)
            batch = np.concatenate([batch, opacity])
        return to_float(batch, self._range, self._white)

    def read_integers(self, top: int, left: int, height: int, width: int) -> IntegerImage:
        """As `read`, in the image's own dtype; lies in memory as (samples, height, width, channels)."""
        tile = np.ascontiguousarray(self._cut_colors(top - self._margin, left - self._margin, height, width))
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
        (top, rows), (left, columns) = map(self._within, (top, left), self._result.shape[:2])
        colors = colors[rows, columns]
        if not colors.size:
            return  # nothing but margin
        height, width = colors.shape[:2]
        out = self._result[top : top + height, left : left + width]
        if y.dtype != np.float32:
            copy_pixels(colors, out[:, :, :3])
        else:
            write_pixels(colors, out[:, :, :3], self._range, self._white)
        if self._runs_opacity:
            opacity = from_batch(y[count:], 1, self._channels)[rows, columns]
            write_pixels(opacity, out[:, :, 3:], self._range, self._white)
        elif self._hides and self._opacity is not None:
            hidden = self._opacity[top : top + height, left : left + width] <= 0
            own = clamped(self._colors[top : top + height, left : left + width])
            np.copyto(out[:, :, :3], own, where=hidden)

    def _within(self, start: int, size: int) -> tuple[int, slice]:
        """Where pixels from `start` on of the network's output lie on an axis of the result, and which of them do."""
        start -= int(self._margin * self._scale)
        return max(0, start), slice(max(0, -start), max(0, size - start))

    def _new_result(self, colors: int) -> Image:
        """An image of unknown colours, with those of opacity that the network does not run."""
        height, width = (math.ceil(size * self._scale) for size in self._colors.shape[:2])
        opacity = self._opacity
        # Not np.empty, whose pixels are what lay in memory before, another user's picture maybe: what no tile covers,
        # by whatever fault, is black.
        channels = colors if opacity is None else 4
        if self._in_planes:  # as the image lies in memory, so that whoever has planes gets planes, in half the time
            result = np.zeros((channels, height, width), self._colors.dtype).transpose(1, 2, 0)
        else:
            result = np.zeros((height, width, channels), self._colors.dtype)
        if opacity is not None and not self._runs_opacity:
            result[:, :, 3:] = clamped(opacity if self._scale == 1 else opacity[:1, :1])
        return result
