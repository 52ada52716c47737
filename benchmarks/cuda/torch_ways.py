"""PyTorch, channels-last: weights blended in place by a few kernels for all tensors, run eagerly or as a CUDA graph.

Blending in place keeps captured graphs and compiled code valid, so this is PyTorch at its best.
"""

from collections.abc import Mapping
from typing import Any

import torch
from endpoints import State
from names import EAGER, TORCH_GRAPH
from torch import Tensor, nn
from way import Device, FloatArray, Way

_DTYPES = {"float32": torch.float32, "float16": torch.float16}
_WARM_UP = 3


class Typed(nn.Module):
    """float32 to float32 as the ONNX files are, whatever the weights' type."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self._dtype = network, dtype

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.network(x.to(self._dtype, memory_format=torch.channels_last))
        return y.float()


class Blended:
    """A network on the device whose weights follow alpha."""

    def __init__(self, network: nn.Module, a: State, b: State, dtype: str, device: Device) -> None:
        network.load_state_dict(a)
        kind = _DTYPES[dtype]
        self.network = Typed(network.to(device.kind, kind, memory_format=torch.channels_last), kind)
        moving = {name: t for name, t in self.network.state_dict().items() if t.is_floating_point()}
        self._weights = moving
        # Of the weights' own strides: only like tensors are blended by common kernels.
        self._a, self._b = ({n: torch.empty_like(t).copy_(s[_inner(n)]) for n, t in moving.items()} for s in (a, b))
        self._alpha: float | None = None
        self.moving_bytes = sum(t.nbytes for t in moving.values())

    def blend(self, alpha: float) -> None:
        if alpha != self._alpha:
            self.blend_into(self._weights, alpha)
            self._alpha = alpha

    def blend_into(self, weights: Mapping[str, Tensor], alpha: float) -> None:
        """Blend those of `weights` that move, by the names they have in `network`."""
        names = [name for name in weights if name in self._a]
        into = [weights[name] for name in names]
        torch._foreach_copy_(into, [self._b[name] for name in names])
        torch._foreach_lerp_(into, [self._a[name] for name in names], alpha)


def _inner(name: str) -> str:
    """A name in the checkpoints, of one in `Typed`."""
    return name.removeprefix("network.")


def read(y: Tensor) -> FloatArray:
    result: FloatArray = y.contiguous().cpu().numpy()
    return result


def eager(blended: Blended, x: Tensor, name: str = EAGER, network: Any = None) -> Way:
    """`network`: what is called instead, with the same weights, such as a compiled one."""
    call = blended.network if network is None else network

    def run(alpha: float) -> Tensor:
        blended.blend(alpha)
        y: Tensor = call(x)
        return y

    return Way(name, run, read)


def captured(blended: Blended, x: Tensor, name: str = TORCH_GRAPH, network: Any = None) -> Way:
    """The same as a CUDA graph: image, weights and output stay where they are."""
    call = blended.network if network is None else network
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(_WARM_UP):
            call(x)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = call(x)

    def run(alpha: float) -> Tensor:
        blended.blend(alpha)
        graph.replay()
        return y

    return Way(name, run, read)
