"""An image of Pillow's as arrays, some rows at a time: as one array it would lie in memory up to four times."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

_BAND_PIXELS = 2**20


def bands(image: Image.Image, mode: str | None = None) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Number of the first row and pixels, band by band, from top to bottom; converted to `mode` unless it is None."""
    image.load()
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        part = image.crop((0, top, image.width, min(top + rows, image.height)))
        yield top, np.asarray(part if mode in (None, part.mode) else part.convert(mode))
