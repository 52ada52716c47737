"""Tokens in the order of their categories, and back (ATD)."""

import sys
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from .replacing import replaced


def orders_of_any_batch(network: nn.Module) -> AbstractContextManager[None]:
    """Undo a permutation by one scatter for all images, which `index_reverse` does in a loop over those of the trace.

    After https://github.com/LabShuHangGU/Adaptive-Token-Dictionary.
    """
    codes = {type(module).__module__ for module in network.modules() if type(module).__name__ == "AC_MSA"}
    return replaced((sys.modules[code], "index_reverse", _inverse) for code in codes)


def _inverse(order: Tensor) -> Tensor:
    """For each row of `order`, a permutation (N, L) of int64, the one that undoes it."""
    places = torch.arange(order.shape[-1], device=order.device).expand_as(order)
    return torch.zeros_like(order).scatter(-1, order, places)
