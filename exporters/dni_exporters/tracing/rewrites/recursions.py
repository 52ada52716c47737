"""RGT's attention, which makes its image smaller the more often, the larger it is."""

from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .replacing import replaced

# Lengths of the longer side from which on it is two reductions, three, and four. The next one is at 16384.
_FROM = (0, 1024, 4096, 16384)
# Pixels that are added below and on the right, so that there is something to make smaller, and never a size of 1, which
# torch.export takes for a constant.
_ADDED = 7


def recursions_of_any_size(network: nn.Module) -> AbstractContextManager[None]:
    """Let RGT's number of reductions follow the image's size (Chen et al., Recursive Generalization Transformer, 2024).

    It is a loop of max(2, int(log4(longer side // 16))): twice to 1023 pixels, then three times, from 4096 on four
    times. Here all of them are made, a few pixels each, and attention is kept from those that are not the right one's.
    The five times from 16384 on are not among them.
    """
    parts = [m for m in network.modules() if type(m).__name__ == "RG_SA" and hasattr(m, "reduction1")]
    return replaced((part, "forward", _Attention(part)) for part in parts)


class _Attention:
    """RG_SA.forward in evaluation mode: x (N, H * W, C), H, W to (N, H * W, C)."""

    def __init__(self, part: Any) -> None:
        self.part = part

    def __call__(self, x: Tensor, height: int, width: int) -> Tensor:
        part, heads = self.part, self.part.num_heads
        batch, _, channels = x.shape
        image = x.permute(0, 2, 1).reshape(batch, channels, height, width)
        image = part.reduction1(image)
        rows, columns = image.shape[2:]
        longer = torch.arange(1, device=x.device) + torch.sym_max(height, width)
        seen, right = [], []
        for start, end in pairwise(_FROM):
            rows, columns = rows // 4, columns // 4
            image = part.reduction1(functional.pad(image, (0, _ADDED, 0, _ADDED)))
            inside = _inside(image, rows, columns)
            image = image * inside
            seen.append(self._seen(image, inside))
            right.append((longer >= start) & (longer < end) & inside.flatten())
        queries, keys, values = (
            each.reshape(batch, -1, heads, each.shape[2] // heads).permute(0, 2, 1, 3)
            for each in (part.q(x), *(torch.cat(each, 1) for each in zip(*seen, strict=True)))
        )
        attention = (queries @ keys.transpose(-2, -1)) * part.scale
        attention = attention.masked_fill(~torch.cat(right), torch.finfo(x.dtype).min).softmax(dim=-1)
        out: Tensor = part.proj((attention @ values).transpose(1, 2).reshape(batch, -1, channels))
        return out

    def _seen(self, image: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of an image made smaller, 0 where it is not `inside`: (N, pixels, channels) each."""
        part = self.part
        tokens = part.norm_act(part.conv(part.dwconv(image)).flatten(2).transpose(1, 2))
        values = part.v(tokens).transpose(1, 2)
        values = values + part.cpe(values.unflatten(2, image.shape[2:]) * inside).flatten(2)
        return part.k(tokens), values.transpose(1, 2)


def _inside(image: Tensor, rows: int, columns: int) -> Tensor:
    """Which pixels of `image` are in its first `rows` and `columns`: bool (H, W)."""
    down, right = (torch.arange(side, device=image.device) for side in image.shape[2:])
    return (down < rows)[:, None] & (right < columns)
