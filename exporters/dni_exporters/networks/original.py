"""A network as it was published and is run there: by spandrel's call, or by its own code."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from dni_exporters.checkpoints.checkpoint import Checkpoint
from dni_exporters.sources import StateDict

from .architecture import Architecture
from .arguments import Arguments, is_known, noise_levels
from .known.calls import call_of
from .known.finding import describe
from .tables import shared_tables

Run: TypeAlias = Callable[[Tensor], Tensor]

_PYTORCHS = vars(nn.Module()).keys() - {"_buffers", "_non_persistent_buffers_set"}


@dataclass(frozen=True, slots=True)
class Original:
    """A second copy of a network, for judging what is made of the first: what is done so as to trace that never
    reaches it.

    module: holds the weights, on the CPU, in evaluation mode, float32.
    run:    image (N, C, H, W) to image, with the weights that are in `module`.
    """

    module: nn.Module
    run: Run
    _attributes: Mapping[nn.Module, Mapping[str, Any]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_attributes", {module: _attributes(module) for module in self.module.modules()})

    def load(self, state: StateDict) -> None:
        """Give the network these weights; what it kept from earlier ones beside them, as `self.cache`, it forgets."""
        for module, attributes in self._attributes.items():
            for name in _attributes(module).keys() - attributes.keys():
                del module.__dict__[name]
            module.__dict__.update({name: _copied(value) for name, value in attributes.items()})
        self.module.load_state_dict(state, strict=True)


def _attributes(module: nn.Module) -> dict[str, Any]:
    """What a module's own code may keep things in; hooks, parameters and inner modules are PyTorch's."""
    return {name: _copied(value) for name, value in vars(module).items() if name not in _PYTORCHS}


def _copied(value: Any) -> Any:
    """What a network keeps things in; its weights are not copied."""
    return copy.copy(value) if isinstance(value, dict | list | set) else value


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
