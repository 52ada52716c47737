"""What endpoints and their blends make of one photograph after the other, and the figures of it."""

from collections.abc import Sequence
from string import ascii_uppercase

import torch
from torch import nn

from dni_exporters.graphs.blend import blend_tensors
from dni_exporters.networks.network_code import message
from dni_exporters.networks.probe import quiet_inference
from dni_exporters.sources import StateDict

from . import measures
from .beside import NoPictureError, end_picture, figures_of, shown
from .colour import Array
from .verdict import Figures


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
        ends = [
            end_picture(letter, self._run(alpha, image))
            for letter, alpha in zip(ascii_uppercase, self._ends, strict=False)
        ]
        contrasts = [measures.contrast(end) for end in ends]
        self._any_contrast |= float(image.std()) > measures.FLAT
        self._flat = [flat and value < measures.FLAT for flat, value in zip(self._flat, contrasts, strict=True)]
        self.apart_db += [measures.psnr_db(end, ends[-1]) for end in ends[:-1]]
        pictures = []
        for alpha in self._between:
            raw = self._run(alpha, image)
            self.found.append(figures_of(raw, ends, (*alpha, 1 - sum(alpha)), alpha, name))
            pictures.append(shown(raw))
        return list(zip([*self._ends, *self._between], [*ends, *pictures], strict=True))

    def require_pictures(self) -> None:
        """Raise NoPictureError where an endpoint makes one flat colour of every photograph."""
        if not self._any_contrast:
            raise NoPictureError("the photographs are of one flat colour each")
        for letter, is_flat in zip(ascii_uppercase, self._flat, strict=False):
            if is_flat:
                raise NoPictureError(f"endpoint {letter} alone makes one flat colour of every photograph")

    def _run(self, alpha: tuple[float, ...], image: Array) -> Array:
        """The network's output (H, W, C), as it comes."""
        self._network.load_state_dict(blend_tensors(self._endpoints, alpha))
        try:
            with quiet_inference():
                output: Array = self._network(torch.from_numpy(image))[0].float().numpy()
        except Exception as error:  # a network's code may refuse what it likes
            raise NoPictureError(f"the network fails on an image of {image.shape}: {message(error)}") from None
        return output.transpose(1, 2, 0)
