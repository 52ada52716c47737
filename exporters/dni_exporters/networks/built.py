"""Is what was built from two files one network with other weights?"""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.func import functional_call

from dni_exporters.checkpoints.checkpoint import Checkpoint
from dni_exporters.checkpoints.endpoints import differences
from dni_exporters.sources import StateDict
from dni_runtime.sizes import Sizes

from .architecture import Architecture
from .probe import forward
from .randomness import alike

# Of the image: wider than most windows of attention, and a second or less for the largest networks.
_SIDE = 24


def built_differently(
    a: Architecture, first: Checkpoint, b: Architecture, other: Checkpoint, weights: StateDict
) -> tuple[str, list[str]]:
    """Why the network `a` of `first`, given the weights of `other`, is not the network `b`: a sentence, and by name.

    Both empty where it is. The sentence is empty where names alone can tell, the names where settings alone differ.

    weights: those of `other` under the names of `a`. What they give there is compared with what `b` gives itself: no
    list of settings tells as surely which of them matter.
    """
    if a.title != b.title:
        return f"{first.name} is {a.title}, {other.name} is {b.title}", differences([first, other])
    settings = ", ".join(
        f"{name} {value} and {b.settings[name]}"
        for name, value in a.settings.items()
        if name in b.settings and value != b.settings[name]
    )
    ours, its = (replace(c, tensors=dict(x.network.named_parameters())) for c, x in ((first, a), (other, b)))
    if lines := differences([ours, its]):
        return f"{first.name} and {other.name} are two kinds of {a.title}: {settings}" if settings else "", lines
    image = _image(a)
    if _equal(_output(a.network, weights, image), _output(b.network, {}, image)):
        return "", []
    said = settings or "they hold different values beside their weights"
    return f"{first.name} and {other.name} are two kinds of {a.title} with weights of the same shapes: {said}", []


def _image(architecture: Architecture) -> Tensor:
    """Noise, of a size that is a multiple of what the network asks for."""
    shape = (1, architecture.channels or 3, *(architecture.sizes or Sizes()).wide(_SIDE))
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def _output(network: nn.Module, weights: StateDict, image: Tensor) -> Tensor | None:
    """What `network` makes of `image` with other weights in it for the time being; None where it takes no such image.

    Those that draw noise draw the same, and those that rewrite their weights as they run rewrite others.
    """
    borrowed = {name: tensor.detach() for name, tensor in weights.items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return forward(lambda x: functional_call(network, borrowed, (x,)), image)


def _equal(got: Tensor | None, wanted: Tensor | None) -> bool:
    if got is None or wanted is None:
        return got is wanted
    return alike(got, wanted)
