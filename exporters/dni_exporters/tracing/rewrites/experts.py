"""Mixtures of experts, of which only those that a router picks for the image are run (SeemoRe)."""

from contextlib import AbstractContextManager

from torch import nn

from .replacing import replaced


def all_experts(network: nn.Module) -> AbstractContextManager[None]:
    """Run every expert, and weigh those that are not picked with zero: a graph cannot pick its nodes by a number.

    It is the form in which SeemoRe trains (https://github.com/eduardzamfir/seemoredetails), one flag of the layer that
    picks; what is in the layer stays in evaluation mode. It picks for each image of a batch, where the other form
    takes one image alone.
    """
    layers = [module for module in network.modules() if type(module).__name__ == "MoELayer"]
    return replaced((layer, "training", True) for layer in layers)
