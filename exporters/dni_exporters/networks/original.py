"""A network as it was published and is run there: by spandrel's call, or by its own code."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor, nn

from dni_exporters.checkpoints.checkpoint import Checkpoint

from . import known
from .architecture import Architecture, is_known
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
    arch_args: Mapping[str, Any] | None = None,
) -> Original:
    """The original of `architecture`, which was built of the first of `checkpoints` (`arch` as in `build`).

    What spandrel knows is built by it once more, and nothing of ours takes part in running it.
    """
    if is_known(arch):
        found = known.describe(str(arch), shared_tables(checkpoints)[0])
        model = found.model.float().eval()
        return Original(model, lambda image: found._call_fn(model, image))
    network = copy.deepcopy(architecture.network)
    return Original(network, network)
