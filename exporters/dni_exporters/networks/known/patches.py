"""IPT, which is for patches of one size: an image cut into overlapping patches, and put together of what they become.

Chen et al., Pre-Trained Image Processing Transformer, arXiv 2012.00364; as their code does it, which is spandrel's
IPT/__arch/model.py. That runs the network four times, on 64 patches at a time; here all patches of all images are one
batch and no size is read as a number, so that an image of any size can follow.

A patch of 4 steps begins at each step, and one more ends where the image does. Where two meet, a pixel is the mean of
both, but for a step at the rim of each patch; the last one takes over halfway.
"""

from typing import Any

import torch
from torch import Tensor


def in_patches(model: Any, image: Tensor) -> Tensor:
    """What spandrel makes of each image (C, H, W) of `image` (N, C, H, W) with an IPT, `model`."""
    task = model.scale.index(max(model.scale))
    model.set_scale(task)
    size, step, scale = model.patch_size, model.patch_size // 4, model.scale[task]
    grid = _cut(_cut(image * model.rgb_range, 2, size, step), 4, size, step)  # (N, C, rows, size, columns, size)
    count, _, rows, _, columns, _ = grid.shape
    made: Tensor = model(grid.permute(0, 2, 4, 1, 3, 5).flatten(0, 2))
    made = made.reshape(count, rows, columns, *made.shape[1:]).permute(0, 3, 1, 4, 2, 5)
    below, beside = ((side - size) % step * scale for side in image.shape[2:])  # what no patch but the last one reaches
    step *= scale
    bands = _joined(made, 2, step, below, step)
    # Of the first rows the first patch is taken whole: that is how it is published.
    first, others = bands.narrow(2, 0, step), bands.narrow(2, step, bands.shape[2] - step)
    whole = [_joined(first, 3, step, beside, 4 * step), _joined(others, 3, step, beside, step)]
    result: Tensor = torch.cat(whole, dim=2) / model.rgb_range
    return result


def _cut(x: Tensor, dim: int, size: int, step: int) -> Tensor:
    """Patches of `x` along `dim`: (..., side, ...) to (..., patches, size, ...)."""
    count = x.shape[dim] // step
    steps = x.narrow(dim, 0, count * step).unflatten(dim, (count, step))  # type: ignore[no-untyped-call]
    regular = torch.cat([steps.narrow(dim, number, count - 3) for number in range(4)], dim + 1)
    return torch.cat([regular, x.narrow(dim, x.shape[dim] - size, size).unsqueeze(dim)], dim)


def _joined(x: Tensor, dim: int, step: int, rest: int, alone: int) -> Tensor:
    """Patches (..., patches, size, ...) put together along `dim`, of the first of which `alone` pixels are its own."""
    count = x.shape[dim] - 1
    regular, last = x.narrow(dim, 0, count), x.select(dim, count)
    early, late = regular.narrow(dim + 1, step, step), regular.narrow(dim + 1, 2 * step, step)
    # Two steps more than there are, which the last patch is in the place of: `alone` may be all of a small image.
    none, one = torch.zeros_like(early.narrow(dim, 0, 1)), x.new_ones(1)
    total = torch.cat([early, none, none, none], dim) + torch.cat([none, late, none, none], dim)
    many, zero = x.new_ones(count), 0 * one
    met = torch.cat([many, zero, one, one]) + torch.cat([zero, many, zero, zero])
    mean = (total / met.reshape(-1, *[1] * (x.dim() - dim - 1))).flatten(dim, dim + 1)
    head = regular.select(dim, 0).narrow(dim, 0, alone)
    body = torch.cat([head, mean.narrow(dim, alone - step, mean.shape[dim] - alone + step)], dim)
    # By halves of the overlap, 4 * step - rest, in words that divide nothing negative: ONNX rounds that the other way.
    begin, kept = 2 * step - rest // 2, (count + 1) * step + (rest + 1) // 2
    return torch.cat([body.narrow(dim, 0, kept), last.narrow(dim, begin, last.shape[dim] - begin)], dim)
