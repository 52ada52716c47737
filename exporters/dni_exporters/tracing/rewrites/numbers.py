"""Parameters that a network's code reads as numbers."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import TorchFunctionMode


def numbers_stay_tensors(_network: nn.Module) -> AbstractContextManager[Any]:
    """Let `item()` give a tensor without axes instead of a number, in `x.pow(self.k.item())`.

    PyTorch cannot trace what is computed with such a number, and it must not be one: each endpoint has its own, which
    the blend moves.
    """
    return _ItemsAreTensors()


class _ItemsAreTensors(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.Tensor.item and isinstance(args[0], FakeTensor) and args[0].is_floating_point():
            return args[0].reshape(())
        return func(*args, **(kwargs or {}))
