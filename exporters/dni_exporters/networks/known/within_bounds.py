"""Building a network as a stranger's weights describe it, in the time and memory that those weights justify.

Names and shapes say how many layers of how many channels a network has, before anything compares it with the weights:
`body.999999999.weight` alone makes a thousand million blocks, one weight of 60,000 channels layers of 130 GB.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dni_exporters.checkpoints.stored import size_text
from dni_runtime import ArchitectureError

# The deepest of spandrel's networks number a few hundred layers.
LARGEST_NUMBER = 10_000
LARGEST_SCALE = 64
# All of spandrel's networks make up to 1.15 times as many tensors as they have weights, of as many bytes. Weights may
# be stored as float16, and are made as float32.
_TIMES = 4
_SLACK_BYTES = 2**28
_SLACK_TENSORS = 1000


@contextmanager
def within_bounds(owner: str, tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """Raise ArchitectureError where what runs inside makes far more than the weights `tensors` of `owner` are."""
    for name in tensors:
        if number := next((part for part in name.split(".") if part.isdecimal() and _above(part)), ""):
            raise ArchitectureError(
                f"{owner} holds {name}, the weight of layer {number[:20]}{'...' if len(number) > 20 else ''}; expected "
                f"layers up to {LARGEST_NUMBER}: say which network it is, with --arch path/to/network.py:Network"
            )
    with _Budget(owner, tensors):
        yield


def check_scale(owner: str, scale: float) -> None:
    """Raise ArchitectureError for a network that enlarges images beyond all use, and beyond all memory."""
    if not 0 < scale <= LARGEST_SCALE:
        raise ArchitectureError(
            f"{owner} holds a network that makes images {scale} times as large; expected up to {LARGEST_SCALE} times"
        )


class _Budget(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what PyTorch's operations are asked to make, before they make it."""

    def __init__(self, owner: str, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._owner = owner
        self._given_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        self._bytes_left = _TIMES * self._given_bytes + _SLACK_BYTES
        self._tensors_left = _TIMES * len(tensors) + _SLACK_TENSORS

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        first = args[0] if args else None
        if isinstance(first, list) and all(isinstance(size, int) for size in first):  # zeros([3, 4])
            self._charge(math.prod(first))
        elif args and all(isinstance(number, int | float) for number in args):  # arange(12)
            self._charge(max(abs(number) for number in args))
        elif func is torch.ops.aten.clone.default:  # copy.deepcopy(layer)
            self._charge(args[0].numel())
        return func(*args, **(kwargs or {}))

    def _charge(self, elements: float) -> None:
        self._bytes_left -= int(elements) * torch.get_default_dtype().itemsize
        self._tensors_left -= 1
        if self._bytes_left < 0 or self._tensors_left < 0:
            raise ArchitectureError(
                f"the names and shapes of the {size_text(self._given_bytes)} of weights in {self._owner} describe a "
                "network that is many times larger than they are; it is not built"
            )


def _above(digits: str) -> bool:
    return len(digits) > len(str(LARGEST_NUMBER)) or int(digits) > LARGEST_NUMBER
