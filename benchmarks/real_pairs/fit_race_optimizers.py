"""Optimizers of learnt points, whose parameters lie one after the other: what the race compares."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

from dni_exporters.fitting.points import VectorNetwork

Shapes: TypeAlias = list[torch.Size]
Step: TypeAlias = Callable[[Tensor, float], None]
"""Change the points by a slope (points, parameters), at a rate."""


def parts(network: VectorNetwork) -> Shapes:
    """The shapes of a network's parameters, in the order in which they lie."""
    return [parameter.shape for parameter in network.network.parameters()]


def _of_torch(make: Callable[[list[Tensor]], torch.optim.Optimizer]) -> Callable[[Tensor, Shapes], Step]:
    def begin(points: Tensor, shapes: Shapes) -> Step:
        points.grad = torch.zeros_like(points)
        optimizer = make([points])

        def step(slope: Tensor, rate: float) -> None:
            points.grad = slope
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()

        return step

    return begin


def _adam_by_tensor(points: Tensor, shapes: Shapes) -> Step:
    """Adam, whose rate is a share of each tensor's own size."""
    moments = torch.zeros_like(points), torch.zeros_like(points)
    sizes = [part.square().mean().sqrt().expand(part.numel()) for part in _split(points[0], shapes)]
    size, count = torch.cat(sizes), 0

    def step(slope: Tensor, rate: float) -> None:
        nonlocal count
        count += 1
        moments[0].lerp_(slope, 0.1)
        moments[1].lerp_(slope.square(), 0.001)
        change = moments[0] / (1 - 0.9**count) / ((moments[1] / (1 - 0.999**count)).sqrt() + 1e-8)
        points.sub_(change * size * rate)

    return step


def _muon(points: Tensor, shapes: Shapes) -> Step:
    """Muon (K. Jordan, 2024) for what is a matrix, at Adam's size of a step; Adam for the rest."""
    momentum, adam = torch.zeros_like(points), _of_torch(torch.optim.Adam)
    rest = points.clone()
    of_rest = adam(rest, shapes)

    def step(slope: Tensor, rate: float) -> None:
        momentum.mul_(0.95).add_(slope)
        before = rest.clone()
        of_rest(slope, rate)
        changes = _split((rest - before)[0], shapes)
        for number, part in enumerate(_split((slope + 0.95 * momentum)[0], shapes)):
            if part.dim() == 4 and min(part.shape[:2]) >= 8:
                changes[number] = -rate * _orthogonal(part)
        points[0].add_(torch.cat([change.reshape(-1) for change in changes]))
        rest.copy_(points)

    return step


def _orthogonal(part: Tensor) -> Tensor:
    """The nearest orthogonal matrix, by five Newton-Schulz steps, of a mean square of 0.2 as Adam's changes have."""
    matrix = part.reshape(part.shape[0], -1)
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-12)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x.T if tall else x).reshape(part.shape) * 0.2 * max(matrix.shape) ** 0.5


def _split(vector: Tensor, shapes: Shapes) -> list[Tensor]:
    lengths = [shape.numel() for shape in shapes]
    return [part.view(shape) for part, shape in zip(torch.split(vector, lengths), shapes, strict=True)]


OPTIMIZERS: Mapping[str, Callable[[Tensor, Shapes], Step]] = {
    "Adam": _of_torch(torch.optim.Adam),
    "SGD": _of_torch(lambda points: torch.optim.SGD(points, momentum=0.9)),
    "Adam, rate by tensor": _adam_by_tensor,
    "Muon": _muon,
}
