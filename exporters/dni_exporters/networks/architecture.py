"""Which network a checkpoint belongs to: detected, named, or given as code."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import FunctionType

from torch import Tensor, nn

from dni_exporters.checkpoints.checkpoint import Checkpoint
from dni_exporters.sources import StateDict
from dni_runtime import ArchitectureError
from dni_runtime.sizes import Sizes

from .arguments import Arguments, check_arch, is_known, noise_levels
from .called import called
from .known.calls import call_of
from .known.finding import describe
from .network_code import call, message, ten_of
from .tables import fitted


@dataclass(frozen=True, slots=True)
class Architecture:
    """A built network with what is known about the images that it takes.

    network:        on the CPU, in evaluation mode, float32; with what spandrel computes around its model.
    channels:       of the input; None where unknown.
    sizes:          what input height and width have to be; None where unknown.
    only:           the one shape (N, C, H, W) of images that it takes; None where there is no such.
    title:          what to call it beside another one, such as `ESRGAN x4`.
    settings:       what it was built with, by name, where spandrel found that out.
    whole:          whether spandrel advises against cutting its images into tiles.
    half:           whether spandrel vouches for it in half precision; None where nobody says.
    notes:          for the user.
    """

    network: nn.Module
    name: str
    channels: int | None = None
    sizes: Sizes | None = None
    only: tuple[int, int, int, int] | None = None
    title: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    whole: bool = False
    half: bool | None = None
    notes: Sequence[str] = ()


def build(arch: str | nn.Module, checkpoint: Checkpoint, arch_args: Arguments = None) -> Architecture:
    """The network for `checkpoint`, with its weights.

    `arch` is `auto` (spandrel detects the network), a name that spandrel knows, `module:callable` or
    `path.py:callable` (called with `arch_args`; returns an nn.Module), or a built nn.Module. Of networks that spandrel
    knows some take an argument, too (`arguments`).

    Raises ArchitectureError where there is no such network or the weights do not fit it.
    """
    if is_known(arch):
        check_arch(arch, arch_args)
        return _from_spandrel(str(arch), checkpoint, noise_levels(arch_args, 1))
    architecture = from_code(arch, arch_args)
    load(architecture, fitted([checkpoint], architecture.network)[0].tensors)
    return architecture


def from_code(arch: str | nn.Module, arch_args: Arguments = None) -> Architecture:
    """A network given as code or built already, a workspace with weights of no meaning. Raises ArchitectureError."""
    check_arch(arch, arch_args)
    if isinstance(arch, str):
        network, name = call(arch, arch_args or {}), arch.rpartition(":")[2]
    else:
        network, name = _copy(arch), type(arch).__name__
    _refuse_borrowed(network, name)
    return Architecture(network.float().eval(), name, title=name)


def load(architecture: Architecture, tensors: StateDict) -> dict[str, Tensor]:
    """Load weights into the network, and return a copy of what it made of them. Raises ArchitectureError."""
    try:
        architecture.network.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        raise ArchitectureError(
            f"the weights do not fit the network {architecture.name}:",
            *(f"  {line}" for line in ten_of(lines)),
            "Check --arch and its --arch-arg KEY=VALUE",
        ) from None
    return {key: value.detach().clone() for key, value in architecture.network.state_dict().items()}


def _from_spandrel(arch: str, checkpoint: Checkpoint, noise: Sequence[float] | None) -> Architecture:
    found = describe(arch, checkpoint)
    how = call_of(found, checkpoint.name, noise[0] if noise else None)
    network = found.model.float().eval()
    needed, name = found.size_requirements, str(found.architecture.name)
    given, made = found.input_channels, found.output_channels
    return Architecture(
        network=network if how.traced is None else called(network, how.traced),
        name=name,
        channels=given,
        sizes=Sizes(needed.multiple_of, max(1, needed.minimum), needed.square),
        only=how.only,
        title=f"{name} x{found.scale}" + (f" ({given} to {made} channels)" if {given, made} != {3} else ""),
        settings=dict(getattr(found.model, "hyperparameters", {})),
        whole=found.tiling.name != "SUPPORTED",
        half=found.supports_half,
        notes=how.notes,
    )


def _refuse_borrowed(network: nn.Module, name: str) -> None:
    """A function that was put in the place of a method goes on running what it was made for, in every copy."""
    for where, module in network.named_modules():
        if isinstance(vars(module).get("forward"), FunctionType):
            raise ArchitectureError(
                f"the forward of {where or 'the network'} in {name} is a function that was assigned to the object; it "
                "would run that object's weights, whatever is loaded into a copy; expected a method of its class"
            )


def _copy(network: nn.Module) -> nn.Module:
    """A workspace: other weights are loaded into the network, and the caller's own has to stay as it is."""
    try:
        return copy.deepcopy(network)
    except Exception as error:  # modules may hold anything
        raise ArchitectureError(
            f"the network {type(network).__name__} cannot be copied ({message(error)}), and its weights have to be "
            'replaced for the export; give the code that builds it instead: arch="module:callable"'
        ) from error
