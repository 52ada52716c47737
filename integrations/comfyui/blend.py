"""Blend Upscale Models (DNI): two upscale models of one architecture as one. It needs PyTorch alone.

theta = alpha * theta_A + (1 - alpha) * theta_B (Wang et al., arXiv 1811.10515), with the rule of `dni_deploy.blend`,
which a test holds it to.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from comfy_api.v0_0_2 import io

from . import alpha as alphas
from .load import CATEGORY

# Counts of batches seen in training and of operations: no inference reads them.
_LEFTOVERS = ("num_batches_tracked", "total_ops", "total_params")
_MOST_NAMED = 3


class BlendUpscaleModels(io.ComfyNode):
    """The node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What it looks like."""
        return io.Schema(
            node_id="DNIBlendUpscaleModels",
            display_name="Blend Upscale Models (DNI)",
            category=CATEGORY,
            description="The weights of two upscale models, blended: alpha * A + (1 - alpha) * B. It works where one "
            "was fine-tuned from the other; of networks trained apart from each other it makes noise.",
            inputs=[io.UpscaleModel.Input("model_a"), io.UpscaleModel.Input("model_b"), alphas.slider()],
            outputs=[io.UpscaleModel.Output(display_name="upscale_model")],
        )

    @classmethod
    def execute(cls, model_a: Any, model_b: Any, alpha: float) -> io.NodeOutput:
        """A model of its own: the two stay as they are, for others that use them. Raises ValueError, see `blended`."""
        theta = blended(model_a, model_b, alpha)
        result = copy.deepcopy(model_a, {id(model_a.architecture): model_a.architecture})
        result.model.load_state_dict(theta)
        return io.NodeOutput(result)


def blended(first: Any, second: Any, alpha: float) -> dict[str, torch.Tensor]:
    """theta(alpha) of two of spandrel's descriptors, as a state dict on the device of the first.

    Every floating-point tensor, buffers too, is blended in float32 or wider and keeps its dtype, the first's; what is
    equal in both stays as it is to the bit, and other tensors have to be equal.

    Raises ValueError in words for two that are not of one architecture, and for an alpha beyond 0..1.
    """
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f"alpha is {alpha}; expected a number in 0..1")
    a, b = _state(first), _state(second)
    if reasons := [*_differences(first, second), *_different_tensors(a, b), *_different_constants(first, second)]:
        more = len(reasons) - _MOST_NAMED
        raise ValueError(
            f"these two models cannot be blended: {'; '.join(reasons[:_MOST_NAMED])}"
            + f"; and {more} more" * (more > 0)
            + ". Expected: two of one architecture, one fine-tuned from the other"
        )
    theta = {}
    for name, mine in a.items():
        wide = torch.promote_types(torch.promote_types(mine.dtype, b[name].dtype), torch.float32)
        other = b[name].to(mine.device, wide)
        if not mine.is_floating_point() or _is_leftover(name) or mine.to(wide).equal(other):
            theta[name] = mine
        else:
            theta[name] = (mine.to(wide) * alpha + other * (1.0 - alpha)).to(mine.dtype)
    return theta


def _state(model: Any) -> dict[str, torch.Tensor]:
    module = getattr(model, "model", None)
    state = module.state_dict() if isinstance(module, torch.nn.Module) else {}
    if not any(tensor.numel() for tensor in state.values()):
        raise ValueError(
            "one of the two has no weights that PyTorch can read, as what DNI Model as Upscale Model gives; blend what "
            "Load Upscale Model gives, or move that node's own alpha"
        )
    return {name: tensor.detach() for name, tensor in state.items()}


def _differences(first: Any, second: Any) -> list[str]:
    """Of what the networks are, beside their tensors."""
    reasons = [
        f"{what} {theirs[0]} and {theirs[1]}"
        for what, theirs in {
            "architectures": (first.architecture.name, second.architecture.name),
            "scales": (first.scale, second.scale),
            "input channels": (first.input_channels, second.input_channels),
        }.items()
        if theirs[0] != theirs[1]
    ]
    # What a network prints of itself is what it was built with: activations and their slopes, strides, groups.
    if not reasons and repr(first.model) != repr(second.model):
        reasons.append(f"both are {first.architecture.name}, built with other layers ({first.tags} and {second.tags})")
    return reasons


def _different_tensors(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> list[str]:
    reasons = [f"{name} is in one of them alone" for name in a.keys() ^ b.keys() if not _is_leftover(name)]
    for name in a.keys() & b.keys():
        mine, other = a[name], b[name]
        if mine.shape != other.shape:
            reasons.append(f"{name} has the shapes {tuple(mine.shape)} and {tuple(other.shape)}")
        elif mine.is_floating_point() != other.is_floating_point():
            reasons.append(f"{name} is {mine.dtype} in one and {other.dtype} in the other")
        elif not mine.is_floating_point() and not _is_leftover(name) and not mine.equal(other.to(mine.device)):
            reasons.append(f"{name} holds whole numbers that differ, and only floats can be blended")
    return sorted(reasons)


def _different_constants(first: Any, second: Any) -> list[str]:
    """Of buffers that are in no state dict: the blend has those of the first."""
    theirs = dict(second.model.named_buffers())
    return [
        f"{name} is a constant of the network that no file holds, and differs"
        for name, mine in first.model.named_buffers()
        if name not in first.model.state_dict() and name in theirs and not mine.equal(theirs[name].to(mine.device))
    ]


def _is_leftover(name: str) -> bool:
    return name.rpartition(".")[2] in _LEFTOVERS
