"""Random weights under which every layer of a network matters, and a second endpoint related to them.

Freshly initialised networks hide faults: gammas of zero switch blocks off, norms of one and biases of zero make
layers alike, attention with weights of 0.02 hardly adds to its residual, and pixels below 0 are all black.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

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


def show_pictures(network: nn.Module, run: Callable[[Tensor], Tensor], x: Tensor) -> Weights:
    """The weights of the last layer of `network` with which `run`, its call, gives something like a picture for `x`.

    What follows the last layer is taken to be linear in it, as shuffled pixels and residuals are. None where it is not,
    where the layer has no bias, and where pixels are well within 0..1 as they are.
    """
    with torch.no_grad():
        name, last = _last_layer(network, run, x)
        mean, spread = _statistics(run, x)
        if last is None or (0.2 <= mean <= 0.8 and 0.05 <= spread <= 0.35):
            return {}
        if not 0.05 <= spread <= 0.35:
            last.weight *= 0.2 / spread
            last.bias *= 0.2 / spread
            mean, _ = _statistics(run, x)
        last.bias += 1
        moved, _ = _statistics(run, x)
        last.bias += (0.45 - mean) / (moved - mean) - 1 if abs(moved - mean) > 1e-3 else -1
    return {f"{name}.weight": last.weight.detach().clone(), f"{name}.bias": last.bias.detach().clone()}


def _last_layer(network: nn.Module, run: Callable[[Tensor], Tensor], x: Tensor) -> tuple[str, Any]:
    """The last module with weights that runs, if it is a convolution with a bias."""
    ran: list[tuple[str, nn.Module]] = []

    def note(name: str) -> Callable[..., None]:
        return lambda module, _inputs, _output: ran.append((name, module))

    layers = [each for each in network.named_modules() if next(each[1].parameters(recurse=False), None) is not None]
    hooks = [module.register_forward_hook(note(name)) for name, module in layers]
    run(x.clone())
    for hook in hooks:
        hook.remove()
    name, last = ran[-1]
    can_be_moved = isinstance(last, nn.Conv2d | nn.ConvTranspose2d) and last.bias is not None
    return name, last if can_be_moved else None


def _statistics(run: Callable[[Tensor], Tensor], x: Tensor) -> tuple[float, float]:
    y = run(x.clone())
    return float(y.mean()), float(y.std())


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
