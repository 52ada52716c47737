"""What endpoints and their blends make of one photograph after the other, and the figures of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from string import ascii_uppercase

from torch import nn

from dni_exporters.graphs.blend import theta
from dni_exporters.graphs.formula import Formula
from dni_exporters.networks.network_code import message
from dni_exporters.networks.probe import run_on
from dni_exporters.sources import StateDict
from dni_runtime.shares import Path

from . import measures
from .beside import NoPictureError, end_picture, figures_beside_the_nearest, figures_of, shown
from .colour import Array
from .verdict import Figures


@dataclass(frozen=True, slots=True)
class Point:
    """An alpha to judge, and the share that the picture of each end has in what it is measured by.

    None where there is no such: knobs apart from each other may give a picture like either end, or any between them.
    """

    alpha: tuple[float, ...]
    mix: tuple[float, ...] | None


def ends_of(endpoint_count: int, path: Path | None) -> list[tuple[float, ...]]:
    """The alphas of the endpoints themselves, of a path those of its knots; without knobs."""
    if path is not None:
        return [(knot,) for knot in path.knots]
    return [tuple(float(i == k) for i in range(endpoint_count - 1)) for k in range(endpoint_count)]


class Trial:
    """The figures of one photograph after the other.

    ends: the alphas of the endpoints themselves, of a path those of its knots.
    """

    def __init__(
        self, network: nn.Module, endpoints: Sequence[StateDict], formula: Formula, between: Sequence[Point]
    ) -> None:
        self._network, self._endpoints, self._formula, self._between = network, endpoints, formula, between
        self.ends = [formula.everywhere(end) for end in ends_of(len(endpoints), formula.path)]
        count = len(self.ends)
        self._flat = [True] * count
        self._any_contrast = False
        self.found: list[Figures] = []
        self.apart_db: list[float] = []

    def look(self, name: str, image: Array) -> list[tuple[tuple[float, ...], Array]]:
        """Note the figures of `image` (N, C, H, W); alpha and picture (H, W, C) of the ends and what lies between."""
        ends = [
            end_picture(letter, self._run(alpha, image))
            for letter, alpha in zip(ascii_uppercase, self.ends, strict=False)
        ]
        contrasts = [measures.contrast(end) for end in ends]
        self._any_contrast |= float(image.std()) > measures.FLAT
        self._flat = [flat and value < measures.FLAT for flat, value in zip(self._flat, contrasts, strict=True)]
        path = self._formula.path
        pairs = pairwise(ends) if path is not None else ((end, ends[-1]) for end in ends[:-1])
        self.apart_db += [measures.psnr_db(*pair) for pair in pairs]
        pictures = []
        for point in self._between:
            raw = self._run(point.alpha, image)
            if point.mix is None:
                self.found.append(figures_beside_the_nearest(raw, ends, point.alpha, name))
            else:
                # Along a path what is told is beside its neighbours alone.
                near = [number for number, share in enumerate(point.mix) if share or path is None]
                here, mix = [ends[number] for number in near], [point.mix[number] for number in near]
                self.found.append(figures_of(raw, here, mix, point.alpha, name))
            pictures.append(shown(raw))
        return list(zip([*self.ends, *(point.alpha for point in self._between)], [*ends, *pictures], strict=True))

    def require_pictures(self) -> None:
        """Raise NoPictureError where an endpoint makes one flat colour of every photograph."""
        if not self._any_contrast:
            raise NoPictureError("the photographs are of one flat colour each")
        for letter, is_flat in zip(ascii_uppercase, self._flat, strict=False):
            if is_flat:
                raise NoPictureError(f"endpoint {letter} alone makes one flat colour of every photograph")

    def _run(self, alpha: tuple[float, ...], image: Array) -> Array:
        """The network's output (H, W, C), as it comes."""
        self._network.load_state_dict(theta(self._endpoints, alpha, self._formula))
        try:
            output: Array = run_on(self._network, image)[0]
        except Exception as error:  # a network's code may refuse what it likes
            raise NoPictureError(f"the network fails on an image of {image.shape}: {message(error)}") from None
        return output.transpose(1, 2, 0)
