"""What endpoints and their blends make of one photograph after the other, and the figures of it."""

from collections.abc import Sequence
from string import ascii_uppercase

import numpy as np
import torch
from torch import nn

from dni_exporters.graphs.blend import blend_tensors
from dni_exporters.networks.network_code import message
from dni_exporters.networks.probe import quiet_inference
from dni_exporters.sources import StateDict

from . import measures
from .colour import Array
from .verdict import Figures

# Of an end's values, that may lie further outside 0..1 than this before it is taken for something else than a picture.
_OUTSIDE = 0.25
_OUTSIDE_SHARE = 0.1


class NoPictureError(Exception):
    """The network gives none; the message says why."""


class Trial:
    """The figures of one photograph after the other."""

    def __init__(
        self, network: nn.Module, endpoints: Sequence[StateDict], between: Sequence[tuple[float, ...]]
    ) -> None:
        self._network, self._endpoints, self._between = network, endpoints, between
        count = len(endpoints)
        self._ends = [tuple(float(i == k) for i in range(count - 1)) for k in range(count)]
        self._flat = [True] * count
        self._any_contrast = False
        self.found: list[Figures] = []
        self.apart_db: list[float] = []

    def look(self, name: str, image: Array) -> list[tuple[tuple[float, ...], Array]]:
        """Note the figures of `image` (N, C, H, W); alpha and picture (H, W, C) of the ends and what lies between."""
        ends = [self._end(letter, alpha, image) for letter, alpha in zip(ascii_uppercase, self._ends, strict=False)]
        contrasts, details = [measures.contrast(end) for end in ends], [measures.detail(end) for end in ends]
        self._any_contrast |= float(image.std()) > measures.FLAT
        self._flat = [flat and value < measures.FLAT for flat, value in zip(self._flat, contrasts, strict=True)]
        self.apart_db += [measures.psnr_db(end, ends[-1]) for end in ends[:-1]]
        pictures = []
        for alpha in self._between:
            raw = self._run(alpha, image)
            picture = _shown(raw)
            wanted = measures.mix(ends, (*alpha, 1 - sum(alpha)))
            self.found.append(
                Figures(
                    alpha=alpha,
                    photograph=name,
                    colour_shift=measures.colour_shift(picture, wanted),
                    contrast=measures.beside(measures.contrast(picture), contrasts),
                    detail=measures.beside(measures.detail(picture), details),
                    to_mix_db=measures.psnr_db(picture, wanted),
                    finite=bool(np.isfinite(raw).all()),
                )
            )
            pictures.append(picture)
        return list(zip([*self._ends, *self._between], [*ends, *pictures], strict=True))

    def require_pictures(self) -> None:
        """Raise NoPictureError where an endpoint makes one flat colour of every photograph."""
        if not self._any_contrast:
            raise NoPictureError("the photographs are of one flat colour each")
        for letter, is_flat in zip(ascii_uppercase, self._flat, strict=False):
            if is_flat:
                raise NoPictureError(f"endpoint {letter} alone makes one flat colour of every photograph")

    def _end(self, letter: str, alpha: tuple[float, ...], image: Array) -> Array:
        raw = self._run(alpha, image)
        if not np.isfinite(raw).all():
            raise NoPictureError(f"endpoint {letter} alone gives values that are no numbers (NaN or infinity)")
        if float(((raw < -_OUTSIDE) | (raw > 1 + _OUTSIDE)).mean()) > _OUTSIDE_SHARE:
            raise NoPictureError(
                f"endpoint {letter} alone gives values in {raw.min():.3g}..{raw.max():.3g}, pictures are in 0..1"
            )
        return _shown(raw)

    def _run(self, alpha: tuple[float, ...], image: Array) -> Array:
        """The network's output (H, W, C), as it comes."""
        self._network.load_state_dict(blend_tensors(self._endpoints, alpha))
        try:
            with quiet_inference():
                output: Array = self._network(torch.from_numpy(image))[0].float().numpy()
        except Exception as error:  # a network's code may refuse what it likes
            raise NoPictureError(f"the network fails on an image of {image.shape}: {message(error)}") from None
        return output.transpose(1, 2, 0)


def _shown(raw: Array) -> Array:
    """As a screen shows it."""
    return np.nan_to_num(raw, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
