"""Run the endpoints and what lies between them on photographs, and see."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dni_exporters.clock import Progress
from dni_exporters.graphs.formula import ONE_ALPHA, Formula
from dni_exporters.networks.probe import ImageContract, quiet_inference
from dni_exporters.sources import StateDict
from dni_runtime.shares import Path, shares_of

from . import words
from .beside import NoPictureError
from .colour import Array
from .photographs import MOST, Photograph, built_in, network_input
from .trial import Point, Trial, ends_of
from .verdict import Seen, Verdict, unjudged, worst

# Sides of the photographs in pixels, the largest that is not too much work: in all, floating-point operations, of which
# a core does some 5e10 in a second.
_SIDES_PX = (96, 80, 64, 48, 32)
_MOST_WORK = 6.5e11
# What is larger than this on a side shows nothing more.
_LARGEST_OUTPUT_PX = 512
_FEWEST = 2


def points_between(endpoint_count: int, formula: Formula = ONE_ALPHA) -> list[Point]:
    """What to judge: quarters between two endpoints; of more the middles of every two, and of all.

    Along a path quarters from each knot to the next. With knobs these for all knobs at once, and each knob at one end
    of alpha's way with all others at the other end.
    """
    if formula.knobs:
        together = points_between(endpoint_count, replace(formula, knobs=()))
        ends = [end[0] for end in ends_of(endpoint_count, formula.path)]
        corners = [
            tuple(one if number == knob else rest for number in range(formula.count))
            for one, rest in ((ends[0], ends[-1]), (ends[-1], ends[0]))
            for knob in range(formula.count)
        ]
        return [
            *(replace(point, alpha=formula.everywhere(point.alpha)) for point in together),
            *(Point(corner, None) for corner in dict.fromkeys(corners)),
        ]
    if (path := formula.path) is not None:
        straight = Path(path.knots, (0,) * len(path.middles))
        places = (b + part * (a - b) for a, b in pairwise(path.knots) for part in (0.75, 0.5, 0.25))
        return [Point((place,), straight.shares(place)) for place in (round(place, 6) for place in places)]
    if endpoint_count == 2:
        alphas: list[tuple[float, ...]] = [(0.75,), (0.5,), (0.25,)]
    else:
        pairs = combinations(range(endpoint_count), 2)
        alphas = [tuple(0.5 * (number in pair) for number in range(endpoint_count - 1)) for pair in pairs]
        alphas.append((round(1 / endpoint_count, 3),) * (endpoint_count - 1))
    return [Point(alpha, shares_of(alpha, None)) for alpha in alphas]


@dataclass(frozen=True, slots=True)
class Trials:
    """On what a blend is tried, and who is told.

    photographs: the built-in ones where there are None.
    progress:    called with the name of each trial as it begins.
    seen:        called with what each photograph became.
    """

    photographs: Sequence[Photograph] | None = None
    progress: Progress | None = None
    seen: Seen | None = None

    def judge(
        self,
        network: nn.Module,
        endpoints: Sequence[StateDict],
        contract: ImageContract,
        *,
        formula: Formula = ONE_ALPHA,
    ) -> Verdict:
        """Tell whether blends of `endpoints`, weights of `network`, make pictures as the endpoints themselves do.

        formula: how alpha becomes their shares. The first endpoint's weights are in the network afterwards.
        """
        channels = (contract.input_shape[1], contract.out_channels)
        if not set(channels) <= {1, 3}:
            return unjudged(
                f"the network takes {channels[0]} and gives {channels[1]} channels, photographs have 3 or 1"
            )
        between = points_between(len(endpoints), formula)
        trial = Trial(network, endpoints, formula, between)
        photographs = built_in() if self.photographs is None else self.photographs
        inputs = _inputs(network, photographs, contract, len(trial.ends) + len(between))
        try:
            for number, (name, image) in enumerate(inputs, 1):
                if self.progress is not None:
                    self.progress(f"judge the blend: {name} ({number} of {len(inputs)})")
                pictures = trial.look(name, image)
                if self.seen is not None:
                    self.seen(name, pictures)
            trial.require_pictures()
        except NoPictureError as reason:
            return unjudged(str(reason))
        finally:
            network.load_state_dict(endpoints[0])
        figures = worst(trial.found)
        on = f"on {len(inputs)} {'built-in photographs' if self.photographs is None else 'photographs given'}"
        text, blends = words.sentence(figures, on, has_knobs=bool(formula.knobs))
        return Verdict(
            text, blends, figures, tuple(trial.found), min(trial.apart_db), tuple(name for name, _ in inputs)
        )


def _inputs(
    network: nn.Module, photographs: Sequence[Photograph], contract: ImageContract, runs: int
) -> list[tuple[str, Array]]:
    """Name and image (N, C, H, W) of each trial: MOST or fewer, of a size that the network takes and that is quick."""
    batch, channels, height, width = contract.input_shape
    work = MOST * runs * _work_of_a_pixel(network, contract.input_shape)
    count = MOST
    if contract.static:
        count = max(_FEWEST, min(MOST, int(MOST * _MOST_WORK / max(1, work * batch * height * width))))
    else:
        batch = 1
        side = next((side for side in _SIDES_PX if work * side**2 <= _MOST_WORK), _SIDES_PX[-1])
        side = int(min(side, _LARGEST_OUTPUT_PX / (contract.scale or 1)))
        height = width = contract.sizes.side(side - side % contract.size_multiple)
    # Of few photographs several parts each.
    trials = [(photographs[n % len(photographs)], n // len(photographs)) for n in range(count)]
    return [
        (
            f"{photograph.name} ({part + 1})" if part else photograph.name,
            np.repeat(network_input(photograph.window(height, width, part), channels), batch, axis=0),
        )
        for photograph, part in trials
    ]


def _work_of_a_pixel(network: nn.Module, shape: tuple[int, int, int, int]) -> float:
    """Floating-point operations for a pixel of the input, as PyTorch counts them: of convolutions and products."""
    counter = FlopCounterMode(display=False)
    try:
        with quiet_inference(), counter:
            network(torch.zeros(shape))
    except Exception:  # it cannot follow every network: parametrized weights (spectral_norm) end it
        return 2.0 * sum(parameter.numel() for parameter in network.parameters())
    return float(counter.get_total_flops() / (shape[0] * shape[2] * shape[3]))
