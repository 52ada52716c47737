"""What is learnt: control points of a curve between two networks, or a network that gives another one's pictures.

Both are one thing. Blends of stored points, of which some are fixed, are to give the mix of both ends' pictures:

    a curve   A, middles, B    theta(t) = t^2 A + 2 t (1 - t) C + (1 - t)^2 B      wanted: t A(x) + (1 - t) B(x)
    a lesson  A, B2            theta(t) = t A + (1 - t) B2                         wanted: t A(x) + (1 - t) B(x)
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dni_exporters.networks.known.calls import as_published
from dni_exporters.sources import StateDict
from dni_runtime.shares import Path

Run = Callable[[Tensor], Tensor]


class VectorNetwork:
    """`network`, on `device`, with its parameters laid out one after the other.

    BatchNorm's running statistics and the like are no parameters, and no gradient reaches them: they stay on the
    straight line between the endpoints, and whole numbers are those of A.
    """

    def __init__(self, network: nn.Module, ends: tuple[StateDict, StateDict], device: torch.device) -> None:
        self.network = network.to(device)
        self.device = device
        network.load_state_dict(ends[0])
        parameters = dict(network.named_parameters())
        self._shapes = {name: parameter.shape for name, parameter in parameters.items()}
        self._theta = self.vector(ends[0])
        self.gradient = torch.zeros_like(self._theta)
        for parameter, own, slope in zip(
            parameters.values(), self._parts(self._theta), self._parts(self.gradient), strict=True
        ):
            parameter.data, parameter.grad = own, slope
            parameter.requires_grad_(True)
        self._buffers = [
            (buffer, *(end[name].to(device) for end in ends))
            for name, buffer in network.named_buffers()
            if buffer.is_floating_point() and name in ends[0] and not ends[0][name].equal(ends[1][name])
        ]

    def vector(self, state: StateDict) -> Tensor:
        """The parameters that `state` has, one after the other."""
        return torch.cat([_in_a_row(state[name].detach()).to(self.device, torch.float32) for name in self._shapes])

    def _parts(self, vector: Tensor) -> list[Tensor]:
        sizes = [shape.numel() for shape in self._shapes.values()]
        parts = torch.split(vector, sizes)
        return [_in_shape(part, shape) for part, shape in zip(parts, self._shapes.values(), strict=True)]

    def put(self, theta: Tensor, place: float) -> None:
        """Make the network that of the parameters `theta`, at `place` of the line from B, 0, to A, 1."""
        self._theta.copy_(theta)
        for buffer, a, b in self._buffers:
            buffer.copy_(a * place + b * (1 - place))

    def state(self, theta: Tensor, place: float) -> dict[str, Tensor]:
        """The state dict of that network, on the CPU, as a file of its architecture has it."""
        self.put(theta, place)
        found = as_published(self.network, self.network.state_dict())
        return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in found.items()}

    def run(self, x: Tensor) -> Tensor:
        """The network's output, without a gradient."""
        with torch.no_grad():
            output: Tensor = self.network(x.contiguous(memory_format=torch.channels_last))
        return output


# The weights of a convolution lie with their channels last: a step takes three quarters of the time.


def _in_a_row(tensor: Tensor) -> Tensor:
    return (tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor).reshape(-1)


def _in_shape(part: Tensor, shape: torch.Size) -> Tensor:
    if len(shape) != 4:
        return part.view(shape)
    o, i, h, w = shape
    return part.view(o, h, w, i).permute(0, 3, 1, 2)


class Task:
    """The points, of which `learnt` (count, parameters) change, and the pictures that they are to give.

    teacher: the network whose pictures B2 is to give; None for a curve from A to B, with so many `middles`.
    """

    def __init__(
        self, network: VectorNetwork, a: StateDict, b: StateDict, middles: int = 0, teacher: Run | None = None
    ) -> None:
        self.network, self._teacher = network, teacher
        self._a, self._b = network.vector(a), network.vector(b)
        # Of a lesson the last point is learnt, from A on; of a curve those that begin on the straight line.
        self._path = Path.even([middles])
        self._places = [0.0] if teacher else [1 - number / (middles + 1) for number in range(1, middles + 1)]
        starts = [self._a] if teacher else [self._on_line(place) for place in self._places]
        self.learnt = torch.stack(starts)

    def _on_line(self, place: float) -> Tensor:
        return self._a * place + self._b * (1 - place)

    def put(self, alpha: float, learnt: Tensor) -> tuple[float, ...]:
        """Make the network the blend at `alpha`; returns the shares of the learnt points in it."""
        first, *shares = self._path.shares(alpha)
        theta = self._a * first
        if self._teacher is None:
            theta += self._b * shares.pop()
        for share, point in zip(shares, learnt, strict=True):
            theta += point * share
        self.network.put(theta, 1.0 if self._teacher else alpha)
        return tuple(shares)

    def ends(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What A and B make of `x`."""
        self.network.put(self._a, 1.0)
        a = self.network.run(x)
        if self._teacher is not None:
            return a, self._teacher(x)
        self.network.put(self._b, 0.0)
        return a, self.network.run(x)

    def states(self, learnt: Tensor) -> list[dict[str, Tensor]]:
        """State dicts of the learnt points."""
        places = [1.0] if self._teacher else self._places
        return [self.network.state(point, place) for point, place in zip(learnt, places, strict=True)]
