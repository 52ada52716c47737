"""A network with what its publisher computes around it, as one network with the same weights under the same names."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn

from dni_exporters.sources import UNIT, Span


def in_units(network: nn.Module, value_range: Span) -> nn.Module:
    """`network`, whose images are in `value_range`, low and high, as one whose images are in 0..1."""
    if tuple(value_range) == UNIT:
        return network
    low, high = map(float, value_range)

    def call(inner: Any, image: Tensor) -> Any:
        output = inner(image * (high - low) + low)
        return (output - low) / (high - low) if isinstance(output, Tensor) else output

    return called(network, call)


def called(network: nn.Module, call: Callable[[Any, Tensor], Tensor]) -> nn.Module:
    """`network`, whose forward is from now on `call(network, image)`, in which `network` still is what it was.

    It becomes an object of a class of its own: a network around it would have other names for its weights.
    """
    inner = type(network)
    own = vars(network).pop("forward", None)  # an object's goes before its class's

    class Called(inner):  # type: ignore[misc, valid-type]
        def forward(self, image: Tensor) -> Tensor:
            return call(_Inside(self, own or partial(inner.forward, self)), image)

    Called.__name__, Called.__qualname__, Called.__module__ = inner.__name__, inner.__qualname__, inner.__module__
    network.__class__ = Called
    return network


class _Inside:
    """The network inside a call: itself, but for its own forward."""

    def __init__(self, network: nn.Module, forward: Callable[..., Any]) -> None:
        self._network, self._forward = network, forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._forward(*args, **kwargs)

    forward = __call__

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)
