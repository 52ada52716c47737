"""Random weights under which every layer of a network matters, and a second endpoint related to them.

Freshly initialised networks hide faults: gammas of zero switch blocks off, norms of one and biases of zero make
layers alike, and attention with weights of 0.02 hardly adds to its residual.
"""

from typing import TypeAlias

import torch
from torch import Tensor, nn

Weights: TypeAlias = dict[str, Tensor]

_B_NOISE = 0.05


def trained(network: nn.Module) -> Weights:
    """The state dict of `network`, disturbed as training would: no weight is constant, none next to nothing.

    What its authors do not train (mean shifts, masks, indices) stays as it is, and so does what spandrel reads from it.
    """
    state = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    learned = _learned(network)
    for name, tensor in state.items():
        if name in learned:
            state[name] = _disturbed(tensor)
        elif name.endswith("running_mean"):
            state[name] = 0.1 * torch.randn_like(tensor)
        elif name.endswith("running_var"):
            state[name] = torch.empty_like(tensor).uniform_(0.5, 1.5)
    return state


def related(state: Weights, network: nn.Module) -> Weights:
    """The second endpoint: each learned tensor with a few per cent of its own spread as noise."""
    learned = _learned(network)
    other = {}
    for name, tensor in state.items():
        other[name] = tensor.clone()
        if name in learned:
            spread = tensor.std(correction=0) if tensor.numel() > 1 else tensor.abs().max()
            other[name] = tensor + _B_NOISE * spread * torch.randn_like(tensor)
        elif name.endswith(("running_mean", "running_var")):
            other[name] = tensor * torch.empty_like(tensor).uniform_(0.9, 1.1)
    return other


def _learned(network: nn.Module) -> set[str]:
    named = network.named_parameters(remove_duplicate=False)
    return {name for name, weight in named if weight.requires_grad and weight.is_floating_point() and weight.numel()}


def _disturbed(tensor: Tensor) -> Tensor:
    if tensor.numel() == 1 or tensor.max() == tensor.min():
        size = tensor.abs().max()
        return tensor + 0.2 * (size if size > 0.05 else 1.0) * torch.randn_like(tensor).clamp(-2, 2)
    if tensor.dim() < 2:
        return tensor
    usual = (3 * tensor[0].numel()) ** -0.5  # PyTorch's own for linear layers and convolutions
    spread = float(tensor.std())
    return tensor * (usual / spread) if spread < 0.5 * usual else tensor
