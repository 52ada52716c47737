"""Run the endpoints and what lies between them on photographs, and see."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import nn

from dni_exporters.clock import Progress
from dni_exporters.graphs.blend import blend_tensors
from dni_exporters.networks.network_code import message
from dni_exporters.networks.probe import ImageContract, quiet_inference
from dni_exporters.sources import StateDict

from . import measures, words
from .colour import Array
from .photographs import MOST, Photograph, built_in, network_input
from .verdict import Figures, Verdict, worst

# Sides of the photographs in pixels, the largest that is not too much work: in all, multiplications of a weight and a
# pixel, of which a core does some 2e10 in a second.
_SIDES_PX = (96, 80, 64, 48)
_MOST_WORK = 4e11
# What is larger than this on a side shows nothing more.
_LARGEST_OUTPUT_PX = 512
_FEWEST = 2
# Of an end's values, that may lie further outside 0..1 than this before it is taken for something else than a picture.
_OUTSIDE = 0.25
_OUTSIDE_SHARE = 0.1

Seen: TypeAlias = Callable[[str, Sequence[tuple[tuple[float, ...], Array]]], None]
"""Called with a photograph's name, and alpha and picture of the ends and what lies between: float32 (H, W, C), 0..1."""


def points_between(endpoint_count: int) -> list[tuple[float, ...]]:
    """The alphas to judge: quarters between two endpoints; of more the middles of each and the last, and of all."""
    if endpoint_count == 2:
        return [(0.75,), (0.5,), (0.25,)]
    count = endpoint_count - 1
    return [*(tuple(0.5 * (i == k) for i in range(count)) for k in range(count)), (1 / endpoint_count,) * count]


def judge(
    network: nn.Module,
    endpoints: Sequence[StateDict],
    contract: ImageContract,
    photographs: Sequence[Photograph] | None = None,
    alphas: Sequence[tuple[float, ...]] | None = None,
    *,
    static: bool = False,
    progress: Progress | None = None,
    seen: Seen | None = None,
) -> Verdict:
    """Tell whether blends of `endpoints`, weights of `network`, make pictures as the endpoints themselves do.

    photographs: the built-in ones where there are None.
    alphas:      points_between() where there are None.
    static:      whether the network takes images of the contract's shape alone.

    The first endpoint's weights are in the network afterwards.
    """
    channels = (contract.input_shape[1], contract.out_channels)
    if not set(channels) <= {1, 3}:
        return _unjudged(f"the network takes {channels[0]} and gives {channels[1]} channels, photographs have 3 or 1")
    on = f"on {{}} {'built-in photographs' if photographs is None else 'photographs given'}"
    count = len(endpoints)
    ends = [tuple(float(i == k) for i in range(count - 1)) for k in range(count)]
    between = points_between(count) if alphas is None else list(alphas)
    inputs = _inputs(network, photographs or built_in(), contract, static, len(ends) + len(between))
    trial = _Trial(network, endpoints, ends, between)
    try:
        for number, (name, image) in enumerate(inputs, 1):
            if progress is not None:
                progress(f"judge the blend: {name} ({number} of {len(inputs)})")
            pictures = trial.look(name, image)
            if seen is not None:
                seen(name, list(zip([*ends, *between], pictures, strict=True)))
    except _NoPictureError as reason:
        return _unjudged(str(reason))
    finally:
        network.load_state_dict(endpoints[0])
    if flat := trial.flat_end():
        return _unjudged(flat)
    figures = worst(trial.found)
    text, blends = words.sentence(figures, on.format(len(inputs)))
    return Verdict(text, blends, figures, tuple(trial.found), min(trial.apart_db), tuple(name for name, _ in inputs))


class _NoPictureError(Exception):
    """The network gives none; the message says why."""


class _Trial:
    """The figures of one photograph after the other."""

    def __init__(
        self,
        network: nn.Module,
        endpoints: Sequence[StateDict],
        ends: Sequence[tuple[float, ...]],
        between: Sequence[tuple[float, ...]],
    ) -> None:
        self._network, self._endpoints, self._ends, self._between = network, endpoints, ends, between
        self._flat = [True] * len(ends)
        self._any_contrast = False
        self.found: list[Figures] = []
        self.apart_db: list[float] = []

    def look(self, name: str, image: Array) -> list[Array]:
        """Note the figures of `image` (N, C, H, W); the pictures (H, W, C) of the ends and of what lies between."""
        ends = [self._end(letter, alpha, image) for letter, alpha in zip(_letters(), self._ends, strict=False)]
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
        return [*ends, *pictures]

    def flat_end(self) -> str:
        """Says so where an endpoint makes one flat colour of every photograph; else empty."""
        if not self._any_contrast:
            return "the photographs are of one flat colour each"
        flat = [letter for letter, is_flat in zip(_letters(), self._flat, strict=False) if is_flat]
        return f"endpoint {flat[0]} alone makes one flat colour of every photograph" if flat else ""

    def _end(self, letter: str, alpha: tuple[float, ...], image: Array) -> Array:
        raw = self._run(alpha, image)
        if not np.isfinite(raw).all():
            raise _NoPictureError(f"endpoint {letter} alone gives values that are no numbers (NaN or infinity)")
        if float(((raw < -_OUTSIDE) | (raw > 1 + _OUTSIDE)).mean()) > _OUTSIDE_SHARE:
            raise _NoPictureError(
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
            raise _NoPictureError(f"the network fails on an image of {image.shape}: {message(error)}") from None
        return output.transpose(1, 2, 0)


def _inputs(
    network: nn.Module, photographs: Sequence[Photograph], contract: ImageContract, static: bool, runs: int
) -> list[tuple[str, Array]]:
    """Name and image (N, C, H, W) of each trial: MOST or fewer, of a size that the network takes and that is quick."""
    work = MOST * runs * sum(parameter.numel() for parameter in network.parameters())
    batch, channels, height, width = contract.input_shape
    count = MOST
    if static:
        count = max(_FEWEST, min(MOST, int(MOST * _MOST_WORK / max(1, work * batch * height * width))))
    else:
        batch = 1
        side = next((side for side in _SIDES_PX if work * side**2 <= _MOST_WORK), _SIDES_PX[-1])
        side = int(min(side, _LARGEST_OUTPUT_PX / (contract.scale or 1)))
        side -= side % contract.size_multiple
        height = width = max(side, contract.size_multiple, _round_up(contract.size_minimum, contract.size_multiple))
    # Of few photographs several parts each.
    trials = [(photographs[n % len(photographs)], n // len(photographs)) for n in range(count)]
    return [
        (
            f"{photograph.name} ({part + 1})" if part else photograph.name,
            np.repeat(network_input(photograph.window(height, width, part), channels), batch, axis=0),
        )
        for photograph, part in trials
    ]


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _shown(raw: Array) -> Array:
    """As a screen shows it."""
    return np.nan_to_num(raw, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)


def _letters() -> Iterator[str]:
    return iter("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def _unjudged(reason: str) -> Verdict:
    return Verdict(f"not judged: {reason}", None)
