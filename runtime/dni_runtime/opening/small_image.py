"""A small image and some alphas, always the same ones, on which ways of running a model are compared."""

from collections.abc import Sequence
from itertools import cycle, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dni_runtime.alpha import Key
from dni_runtime.metadata import Metadata
from dni_runtime.signature import Signature

from .runners import Runner

_PROBE_PIXELS = 32
_TINY_PIXELS = 8
_SMALL_VALUES = 3 * 64 * 64


def run_small(runner: Runner, signature: Signature, metadata: Metadata, *, tiny: bool) -> npt.NDArray[np.float32]:
    """What a model makes of a small image at a middle alpha, always the same; `tiny`: of one that takes no time.

    Of a model that takes large ones only nothing is asked.
    """
    x = small_image(signature, metadata, _TINY_PIXELS if tiny else _PROBE_PIXELS)
    if x.size > _SMALL_VALUES:
        return np.zeros(1, np.float32)
    return runner.run(x, middle_alphas(signature, metadata)[0]).astype(np.float32)


def small_image(signature: Signature, metadata: Metadata, least_pixels: int = _PROBE_PIXELS) -> npt.NDArray[Any]:
    """Noise of the smallest size that is worth a look, or of the one that the model takes."""
    low, high = metadata.value_range
    side = metadata.sizes.side(least_pixels)
    usual = (1, 3, side, side)
    shape = [fixed or default for fixed, default in zip(signature.shape, usual, strict=True)]
    return np.random.default_rng(0).uniform(low, high, shape).astype(signature.dtype)


def middle_alphas(signature: Signature, metadata: Metadata) -> Sequence[Key | None]:
    """Two; of several endpoints each has another share: equal ones would not tell them apart.

    Of a path one in each piece, where other endpoints have shares, none where they are alike. No two knobs are at one
    place.
    """
    if signature.alpha_name is None:
        return [None, None]
    path = metadata.alpha_path
    if path is not None or metadata.alpha_knobs:
        pieces = list(pairwise(metadata.alpha_range[::-1] if path is None else path.knots))
        found, count = 2 if path is None else len(pieces), metadata.alpha_count
        # No two alike, and none at an end of a piece.
        parts = [(0.31 + 0.46 * number) % 1 for number in range(found + count - 1)]
        places = [b + part * (a - b) for (a, b), part in zip(cycle(pieces), parts, strict=False)]
        return [tuple(places[start : start + count]) for start in range(found)]
    low, high = metadata.alpha_range
    count = signature.alpha_shape[0] if signature.alpha_shape else 1
    portions = np.arange(1, count + 1) / sum(range(count + 1))
    return [tuple((portions * (low + share * (high - low))).tolist()) for share in (0.31, 0.77)]
