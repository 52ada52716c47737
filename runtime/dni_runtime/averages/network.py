"""A network whose averages over the whole image are given, or measured in a part of it."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from dni_runtime.alpha import Key
from dni_runtime.metadata import Metadata
from dni_runtime.providers.sessions import Place
from dni_runtime.signature import Signature
from dni_runtime.sizes import round_up

from .graph import GIVEN, Average

FloatArray = npt.NDArray[np.float32]
Span = tuple[int, int]
"""Of rows or columns of a feature map: the first, and the one after the last."""

_SMALL_PIXELS = 64
# A multiple of the strides that there are, so that each is met exactly.
_MORE_PIXELS = 192
# Of networks that we know it is 64 at most.
_LARGEST_UNIT = 256


class CannotOpenError(Exception):
    """The averages of a network are none over the image. Never leaves the package."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The height or width of an average's feature map: `base` for an image of `pixels`, and 1 for `stride` more, or a
    part of it.
    """

    pixels: int
    base: int
    stride: Fraction

    def length(self, pixels: int) -> int:
        return self.base + math.ceil((pixels - self.pixels) / self.stride)


class AveragesNetwork:
    """Sessions of a graph with open averages: one for each set of outputs, as ONNX Runtime computes all that a session
    has. Threads may share it.

    depths: of each average, see `graph.Average`.
    axes:   height and width of each average's feature map.
    unit:   tiles have to begin at multiples of it, so that a step in a feature map is at one place in all of them.
    """

    def __init__(
        self,
        open_session: Callable[[Sequence[str], Key | None], Any],
        averages: Sequence[Average],
        place: Place,
        signature: Signature,
        metadata: Metadata,
    ) -> None:
        """`open_session`: of the outputs of these names alone, with that alpha as a constant unless it is None.

        Raises CannotOpenError where feature maps do not grow with the image, and whatever a session raises.
        """
        # One at a time: each keeps the memory that its largest tile took, and an image needs them one after the other.
        self._open = functools.lru_cache(maxsize=1)(open_session)
        self._place, self._signature = place, signature
        self._names = averages
        self.depths = [names.depth for names in self._names]
        self.unit, self.axes = self._find_axes(metadata)

    def run(
        self, x: FloatArray, alpha: Key | None, averages: Sequence[FloatArray], *, holds: bool = False
    ) -> FloatArray:
        """The output for `x`, (N, C, H, W), with the averages (N, ...) over the whole of what each is a part of.

        `holds`: alpha is that of all calls of an image, which pay for a session of its own.
        """
        (y,) = self._run((self._signature.output_name,), x, alpha, averages, holds=holds)
        self._signature.check_result(x.shape, y.shape)
        return np.asarray(y, np.float32)

    def measure(
        self,
        wanted: Sequence[int],
        x: FloatArray,
        alpha: Key | None,
        averages: Sequence[FloatArray | None],
        parts: Sequence[tuple[Span, Span]],
        *,
        holds: bool = False,
    ) -> list[FloatArray]:
        """The averages `wanted` over `parts` of the feature maps of `x`; `holds` as for `run`.

        Computed with `averages`, of which those that none of the wanted depends on may be None; or where there are
        none at all with those of `x` itself.
        """
        return self._run(tuple(self._names[index].part for index in wanted), x, alpha, averages, parts, holds=holds)

    def close(self) -> None:
        """Free the sessions; calls that are running finish."""
        self._place.in_turn(self._open.cache_clear)

    def _find_axes(self, metadata: Metadata) -> tuple[int, list[tuple[Axis, Axis]]]:
        """The unit of tiles, and of each average the axes."""
        n, channels, *sides = self._signature.shape
        if n not in (None, 1) or any(sides) or metadata.size_square:  # of which tiles have no common average
            raise CannotOpenError
        pixels = metadata.sizes.side(_SMALL_PIXELS)
        more = math.lcm(metadata.size_multiple, _MORE_PIXELS)
        alpha = (metadata.alpha_range[0],) * metadata.alpha_count
        names = tuple(names.size for names in self._names)

        def sizes_of(samples: int, height: int, width: int) -> list[Any]:
            return self._run(names, np.zeros((samples, channels or 3, height, width), np.float32), alpha)

        small = sizes_of(1, pixels, pixels)
        others = sizes_of(1, pixels + more, pixels), sizes_of(1, pixels, pixels + more)
        strides = [_strides(sizes, more) for sizes in zip(small, *others, strict=True)]
        unit = math.lcm(metadata.size_multiple, *(stride.numerator for pair in strides for stride in pair))
        if unit > _LARGEST_UNIT:
            raise CannotOpenError
        pixels, samples = round_up(pixels, unit), n or 2  # not each sample of every network has averages of its own
        whole = [size.tolist() for size in sizes_of(samples, pixels, pixels)]
        if any(size[0] != samples for size in whole):
            raise CannotOpenError
        return unit, [
            (Axis(pixels, size[2], down), Axis(pixels, size[3], across))
            for size, (down, across) in zip(whole, strides, strict=True)
        ]

    def _run(
        self,
        outputs: tuple[str, ...],
        x: FloatArray,
        alpha: Key | None,
        averages: Sequence[FloatArray | None] = (),
        parts: Sequence[tuple[Span, Span]] = (),
        *,
        holds: bool = False,
    ) -> list[Any]:
        if self._signature.shape[0] == 1 and len(x) > 1:
            own = [[a if a is None else a[i : i + 1] for a in averages] for i in range(len(x))]
            each = [self._run(outputs, x[i : i + 1], alpha, own[i], parts, holds=holds) for i in range(len(x))]
            return [np.concatenate(values) for values in zip(*each, strict=True)]
        with np.errstate(over="ignore"):  # float16 ends at 65504
            x = x.astype(self._signature.dtype, copy=False)
        feed = self._signature.feed(x, alpha)
        # Blending with every tile and weights that are no constants cost a third more (Real-CUGAN, waifu2x cunet).
        session = self._open(outputs, alpha if holds and self._place.provider == "cpu" else None)
        feed[GIVEN] = np.array([bool(averages)])
        for index, names in enumerate(self._names):
            (top, bottom), (left, right) = parts[index] if parts else ((0, 1), (0, 1))
            value = averages[index] if averages else None
            feed[names.value] = np.zeros((1,) * names.rank, np.float32) if value is None else value
            feed[names.first], feed[names.stop] = np.array([top, left]), np.array([bottom, right])
        taken = [*session.get_inputs(), *session.get_overridable_initializers()]
        feed = {value.name: feed[value.name] for value in taken if value.name in feed}
        values: list[Any] = self._place.in_turn(lambda: session.run(outputs, feed))
        return values


def _strides(sizes: Sequence[Any], more: int) -> tuple[Fraction, Fraction]:
    """How far from each other in the image steps of a feature map lie, down and across.

    `sizes`: of the feature map, for a small image, one that is `more` pixels taller and one that is `more` wider.
    Raises CannotOpenError unless each makes one axis longer, by whole steps, and no other: else a part of the image
    has no part of the feature map that is its own.
    """
    small, taller, wider = (np.array(size) for size in sizes)
    if len(small) != 4:
        raise CannotOpenError
    longer, broader = (taller - small).tolist(), (wider - small).tolist()
    steps = longer[2], broader[3]
    if min(steps) <= 0 or longer != [0, 0, steps[0], 0] or broader != [0, 0, 0, steps[1]]:
        raise CannotOpenError
    down, across = (Fraction(more, step) for step in steps)
    if any(1 not in stride.as_integer_ratio() for stride in (down, across)):
        raise CannotOpenError
    return down, across
