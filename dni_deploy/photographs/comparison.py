"""Before and after in one picture, so that a strength can be chosen by looking: the whole, and details enlarged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from .contact_sheet import cell_width, contact_sheet, for_sheet, to_picture

Read: TypeAlias = Callable[[], npt.NDArray[Any]]

# In a screen's width two pictures stand beside each other, or four and the photograph.
_WIDEST_CELL_PX = 720
_MAX_WIDTH_PX = 2400
_ZOOM = 2
_DETAILS = ("where most changes", "a usual part")
_Box: TypeAlias = tuple[int, int, int, int]


def comparison(photograph: npt.NDArray[Any], after: Sequence[Read], labels: Sequence[str]) -> npt.NDArray[np.uint8]:
    """A photograph beside its results, and below them two details of each, twice as large as their pixels.

    The details are where the first and the last of the results (one alone and the photograph) differ most, and where
    they differ as much as in half of the picture: edges and texture are seen in the one, noise and flat parts in the
    other. A picture that is shown whole anyway has none.

    photograph: as `contact_sheet` takes it.
    after:      give one or more results of one size, of which two are in memory at once.
    labels:     for the photograph and for each result.

    Returns RGB uint8 (H, W, 3).
    """
    columns = 1 + len(after)
    width = min(_MAX_WIDTH_PX, columns * _WIDEST_CELL_PX)
    cell = cell_width(columns, width)
    last = after[-1]()
    other = photograph if len(after) == 1 else after[0]()
    shrinks = last.shape[1] > cell or last.shape[0] > width
    boxes = _details(other, last, cell // _ZOOM) if shrinks else []
    del other, last
    size = None
    shown: list[list[npt.NDArray[np.uint8]]] = []
    for read in after:
        image = read()
        size = image.shape[:2]
        shown.append([for_sheet(image, columns, width), *(_cut(image, box, size) for box in boxes)])
    assert size is not None
    shown.insert(0, [for_sheet(photograph, columns, width), *(_cut(photograph, box, size) for box in boxes)])
    names = list(labels)
    for detail in _DETAILS[: len(boxes)]:
        names += [f"{labels[0]}: {detail}", *labels[1:]]
    rows = list(zip(*shown, strict=True))
    return contact_sheet([image for row in rows for image in row], names, columns=columns, max_width_px=width)


def _details(first: npt.NDArray[Any], second: npt.NDArray[Any], width: int) -> list[_Box]:
    """Boxes (left, upper, right, lower) of two parts of `second`, of its shape, see `comparison`."""
    size = second.shape[:2]
    width = min(width, size[1])
    # As the picture itself, so that rows are of one height, unless it is a strip.
    height = min(size[0], round(width * min(2.0, max(0.5, size[0] / size[1]))))
    boxes = [
        (left, upper, left + width, upper + height)
        for upper in range(0, size[0] - height + 1, height)
        for left in range(0, size[1] - width + 1, width)
    ]
    apart = [
        np.abs(_cut(first, box, size).astype(np.int16) - _cut(second, box, size)).mean() for box in boxes
    ]  # a part at a time: a photograph of a hundred million pixels takes 300 MB
    order = np.argsort(apart, kind="stable")
    return [boxes[order[-1]], boxes[order[(len(order) - 1) // 2]]]


def _cut(image: npt.NDArray[Any], box: _Box, size: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """What lies in `box` of a picture of `size` (H, W), as large, where `image` is that picture in another size."""
    left, upper, right, lower = box
    if image.shape[:2] == tuple(size):
        return np.array(to_picture(image[upper:lower, left:right]))
    y, x = image.shape[0] / size[0], image.shape[1] / size[1]
    # With what lies around it, which the filter reads.
    reach = 4
    top, start = max(0, int(upper * y) - reach), max(0, int(left * x) - reach)
    part = to_picture(image[top : int(lower * y) + 1 + reach, start : int(right * x) + 1 + reach])
    inside = (left * x - start, upper * y - top, right * x - start, lower * y - top)
    return np.array(part.resize((right - left, lower - upper), Image.Resampling.LANCZOS, inside))
