"""A network as it was published and is run there: by spandrel's call, or by its own code."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from dni_exporters.checkpoints.checkpoint import Checkpoint

from .architecture import Architecture
from .arguments import Arguments, is_known, noise_levels
from .known.calls import call_of
from .known.finding import describe
from .tables import shared_tables

Run: TypeAlias = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Original:
    """A second copy of a network, for judging what is made of the first: what is done so as to trace that never
    reaches it.

    module: holds the weights, on the CPU, in evaluation mode, float32.
    run:    image (N, C, H, W) to image, with the weights that are in `module`.
    """

    module: nn.Module
    run: Run


def original_of(
    arch: str | nn.Module,
    checkpoints: Sequence[Checkpoint],
    architecture: Architecture,
    arch_args: Arguments = None,
) -> Original:
    """The original of `architecture`, which was built of the first of `checkpoints` (`arch` as in `build`).

    What spandrel knows is built by it once more and shown one image at a time, as spandrel asks for; nothing of ours
    takes part in that but what a user may say and spandrel may not (`known.calls`).
    """
    if is_known(arch):
        first = shared_tables(checkpoints)[0]
        found = describe(str(arch), first)
        model = found.model.float().eval()
        levels = noise_levels(arch_args, len(checkpoints))
        judged = call_of(found, first.name, levels[0] if levels else None).judged
        return Original(model, lambda images: torch.cat([judged(model, image) for image in images[:, None]]))
    network = copy.deepcopy(architecture.network)
    return Original(network, network)
