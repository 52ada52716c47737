"""`dni film --preview`: some seconds of a film, before and after beside each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .colours.conversion import in_memory
from .colours.planes import plane
from .colours.scaler import Kind, Scaler, resampled
from .colours.turning import is_turn, swaps_sides
from .film import Film


def preview_span(film: Film, seconds: float, start_s: float | None = None) -> tuple[float, float]:
    """From which second to which a preview goes: from `start_s`, else around the film's middle."""
    whole = film.seconds(int(film.index.pts[-1] + film.index.durations[-1]))
    begin = max(0.0, (whole - seconds) / 2) if start_s is None else start_s
    return begin, begin + seconds


class SideBySide:
    """Puts frames together, before on the left. For one thread.

    matrix: the film's `Video.display_matrix`: that is what a viewer sees on the left, for whom the film is turned.
    """

    def __init__(self, matrix: tuple[int, ...] | None = None) -> None:
        turned = matrix if matrix is not None and is_turn(matrix) else None
        self._axis = 0 if turned is not None and swaps_sides(turned) else 1
        along = 1 if turned is None else turned[3 if self._axis == 0 else 0]
        self._order = 1 if along > 0 else -1
        self._scaler: tuple[tuple[Kind, Kind], Scaler] | None = None

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of both pictures together, from those of the result."""
        return (2 * height, width) if self._axis == 0 else (height, 2 * width)

    def __call__(self, before: npt.NDArray[Any], after: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Both as one picture, `before` in the size of `after`. They are alike in dtype and channels."""
        pair = [self._enlarged(before, after.shape[:2]), after]
        return np.concatenate(pair[:: self._order], axis=self._axis)

    def _enlarged(self, picture: npt.NDArray[Any], size: tuple[int, ...]) -> npt.NDArray[Any]:
        """By bicubic interpolation, as players do."""
        if picture.shape[:2] == size:
            return picture
        frame = in_memory(picture)
        name = frame.format.name
        kinds = Kind(name, frame.width, frame.height), Kind(name, size[1], size[0])
        if self._scaler is None or self._scaler[0] != kinds:
            self._scaler = kinds, Scaler(kinds[0], resampled(name, "bicubic", size=kinds[1][1:]))
        return np.array(plane(self._scaler[1](frame), 0)).reshape(*size, *picture.shape[2:])
