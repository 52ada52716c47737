"""The pictures of ends, and one between them beside their mix."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from . import measures
from .colour import Array
from .verdict import Figures

# Of an end's values, that may lie further outside 0..1 than this before it is taken for something else than a picture.
_OUTSIDE = 0.25
_OUTSIDE_SHARE = 0.1
_QUARTERS = (1.0, 0.75, 0.5, 0.25, 0.0)


class NoPictureError(Exception):
    """The network gives none; the message says why."""


def shown(raw: Array) -> Array:
    """As a screen shows it."""
    return np.nan_to_num(raw, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)


def end_picture(letter: str, raw: Array) -> Array:
    """What endpoint `letter` makes of an image, as a screen shows it. Raises NoPictureError where it is none."""
    if not np.isfinite(raw).all():
        raise NoPictureError(f"endpoint {letter} alone gives values that are no numbers (NaN or infinity)")
    if float(((raw < -_OUTSIDE) | (raw > 1 + _OUTSIDE)).mean()) > _OUTSIDE_SHARE:
        raise NoPictureError(
            f"endpoint {letter} alone gives values in {raw.min():.3g}..{raw.max():.3g}, pictures are in 0..1; where a "
            "network given as code has images of another range, say which: --range -1 1, --range 0 255"
        )
    return shown(raw)


def figures_beside_the_nearest(raw: Array, ends: Sequence[Array], alpha: tuple[float, ...], photograph: str) -> Figures:
    """As `figures_of`, of the mix of two neighbours among `ends`, a quarter at a time, whose colours are nearest."""
    found = (
        figures_of(raw, pair, [share, 1 - share], alpha, photograph) for pair in pairwise(ends) for share in _QUARTERS
    )
    return min(found, key=lambda figures: figures.colour_shift)


def figures_of(
    raw: Array, ends: Sequence[Array], shares: Sequence[float], alpha: tuple[float, ...], photograph: str
) -> Figures:
    """What `raw` (H, W, C), a network's output, is beside the pictures `ends`, mixed by `shares`."""
    picture, wanted = shown(raw), measures.mix(ends, shares)
    return Figures(
        alpha=alpha,
        photograph=photograph,
        colour_shift=measures.colour_shift(picture, wanted),
        contrast=measures.beside(measures.contrast(picture), [measures.contrast(end) for end in ends]),
        detail=measures.beside(measures.detail(picture), [measures.detail(end) for end in ends]),
        to_mix_db=measures.psnr_db(picture, wanted),
        finite=bool(np.isfinite(raw).all()),
    )
