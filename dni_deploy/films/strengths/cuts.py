"""Where a scene ends, between two moments at which the film's noise is not the same."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dni_deploy.films.film import Film
from dni_deploy.films.glances import pictures_at

# So many pixels, along both sides, are taken together: their noise is next to nothing then.
_BLOCK = 16
# How much more than between other frames a picture changes at a cut.
_TIMES = 3


def find_cut(film: Film, first: int, last: int) -> tuple[int, int] | None:
    """The moments of the last frame of one scene and the first of the next, of the frames from `first` to `last`.

    None where the picture does not change at once, as in a dissolve, or the camera only moves.
    """
    pts = film.index.pts
    moments, thumbnails = [], []
    for moment, picture in pictures_at(film, pts[(pts >= first) & (pts <= last)].tolist()):
        moments.append(moment)
        thumbnails.append(_thumbnail(picture))
    changes = [float(np.abs(after - before).mean()) for before, after in pairwise(thumbnails)]
    if not changes:
        return None
    cut = int(np.argmax(changes))
    others = changes[:cut] + changes[cut + 1 :]
    if others and changes[cut] < _TIMES * max(others):
        return None
    return moments[cut], moments[cut + 1]


def _thumbnail(picture: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The means of its blocks, over all channels."""
    rows, columns = (side // _BLOCK for side in picture.shape[:2])
    whole = picture[: rows * _BLOCK, : columns * _BLOCK]
    blocks: npt.NDArray[np.float32] = whole.reshape(rows, _BLOCK, columns, -1).mean(axis=(1, 3), dtype=np.float32)
    return blocks
