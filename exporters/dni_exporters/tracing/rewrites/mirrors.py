"""GRL's border, which is mirrored where an image is large enough for that, and black where it is not."""

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from .replacing import replaced


def mirrors_where_there_is_room(network: nn.Module) -> AbstractContextManager[None]:
    """Let GRL's padding follow the image's size (Li et al., Efficient and Explicit Modelling of Image Hierarchies,
    2023).

    It tries to mirror the image's end up to a multiple of its windows and stripes; where a side is no longer than what
    is missing PyTorch raises, and it pads both with zeros instead. Of that a trace keeps whichever it meets.
    """
    parts: list[Any] = [m for m in network.modules() if type(m).__name__ == "GRL" and hasattr(m, "pad_size")]
    return replaced((part, "check_image_size", _Padding(part.pad_size)) for part in parts)


class _Padding:
    """GRL.check_image_size: (N, C, H, W) to multiples of `multiple`."""

    def __init__(self, multiple: int) -> None:
        self.multiple = multiple

    def __call__(self, x: Tensor) -> Tensor:
        inside, has_room = [], []
        for axis, size in ((2, x.shape[2]), (3, x.shape[3])):
            padded = (size + self.multiple - 1) // self.multiple * self.multiple
            place = torch.arange(padded, device=x.device)
            x = x.index_select(axis, torch.where(place < size, place, 2 * (size - 1) - place).clamp(min=0))
            inside.append(place < size)
            has_room.append(torch.arange(1, device=x.device) + padded < 2 * size)
        kept = (inside[0][:, None] & inside[1]) | (has_room[0] & has_room[1])
        return torch.where(kept, x, 0)
