"""A network with what its publisher computes around it, as one network with the same weights under the same names."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


def called(network: nn.Module, call: Callable[[Any, Tensor], Tensor]) -> nn.Module:
    """`network`, whose forward is from now on `call(network, image)`, in which `network` still is what it was.

    It becomes an object of a class of its own: a network around it would have other names for its weights.
    """
    inner = type(network)

    class Called(inner):  # type: ignore[misc, valid-type]
        def forward(self, image: Tensor) -> Tensor:
            return call(_Inside(self, inner), image)

    Called.__name__, Called.__qualname__, Called.__module__ = inner.__name__, inner.__qualname__, inner.__module__
    network.__class__ = Called
    return network


class _Inside:
    """The network inside a call: itself, but for its own forward."""

    def __init__(self, network: nn.Module, inner: type[nn.Module]) -> None:
        self._network, self._inner = network, inner

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._inner.forward(self._network, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)
