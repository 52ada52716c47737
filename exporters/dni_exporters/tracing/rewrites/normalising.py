"""torchvision's normalize, in networks that bring their images into a range of their own."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from .replacing import replaced

_CODE = "torchvision.transforms._functional_tensor"


def normalising_unchecked(_network: nn.Module) -> AbstractContextManager[None]:
    """Normalise without asking whether a deviation is zero, which a trace cannot answer (RestoreFormer).

    That it is not, the network has shown when it was run.
    """
    return replaced((sys.modules[code], "normalize", _normalised) for code in {_CODE} & sys.modules.keys())


def _normalised(image: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Tensor:
    """(image - mean) / std for each channel of `image` (..., C, H, W)."""
    image = image if inplace else image.clone()
    means, deviations = (torch.as_tensor(each, dtype=image.dtype, device=image.device) for each in (mean, std))
    return image.sub_(means.view(-1, 1, 1)).div_(deviations.view(-1, 1, 1))
