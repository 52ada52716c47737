"""Nearest-neighbour resizing to sizes that are no whole multiple: the pixels that PyTorch takes, by number."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from .replacing import replaced

Side: TypeAlias = int | torch.SymInt


def nearest_by_number(_network: nn.Module) -> AbstractContextManager[None]:
    """Gather the rows and columns that PyTorch takes, where a size is no power of two times another.

    PyTorch takes pixel floor(i * step) for pixel i, with step = float32(in / out) or float32(1 / scale_factor), and
    with mode "nearest" 1 or 1/2 where the sizes are so (ATen/native/UpSample.h, nearest_idx). ONNX Runtime computes
    floor(i / scale) of the sizes' ratio, which rounds otherwise: from 38 to 82 pixels some rows are their neighbours,
    which is no rounding in a picture. Factors such as 2 and 4 have nothing to round and stay a Resize, which is faster.
    """
    names = ("upsample_nearest2d", "_upsample_nearest_exact2d")
    forms = [(name, getattr(torch._C._nn, name), offset) for name, offset in zip(names, (0.0, 0.5), strict=True)]
    return replaced((torch._C._nn, name, _by_number(resize, offset)) for name, resize, offset in forms)


def _by_number(resize: Callable[..., Tensor], offset: float) -> Callable[..., Tensor]:
    def gather(image: Tensor, size: Sequence[Side] | None = None, scales: Sequence[float] | None = None) -> Tensor:
        sides = image.shape[2:]
        factors = scales or (None, None)
        wanted = size or [torch.sym_int(side * factor) for side, factor in zip(sides, scales or (), strict=True)]
        if all(_is_exact(*each) for each in zip(sides, wanted, factors, strict=True)):
            return resize(image, size, scales)
        for axis, each in enumerate(zip(sides, wanted, factors, strict=True), 2):
            image = image.index_select(axis, _numbers(*each, offset))
        return image

    return gather


def _is_exact(side: Side, wanted: Side, factor: float | None) -> bool:
    """Whether the step is a power of two: by the factor, or where there is none by the sizes that are traced."""
    ratio = factor or _traced(wanted) / _traced(side)
    return (ratio if ratio >= 1 else 1 / ratio) in (1, 2, 4, 8, 16, 32)


def _traced(side: Any) -> Any:
    return side.node.hint if isinstance(side, torch.SymInt) else side


def _numbers(side: Side, wanted: Side, factor: float | None, offset: float) -> Tensor:
    """Which of `side` pixels each of `wanted` is."""
    step = ratio = _number(side) / _number(wanted)
    if factor:
        step = _number(1 / factor)
        if not offset:
            step = torch.where((ratio == 1) | (ratio == 0.5), ratio, step)
    places = (torch.arange(wanted, dtype=torch.float32) + offset) * step
    return places.floor().to(torch.int64).clamp(max=side - 1)


def _number(value: float | Side) -> Tensor:
    return torch.full((), value, dtype=torch.float32)
