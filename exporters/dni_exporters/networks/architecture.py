"""Which network a checkpoint belongs to: detected, named, or given as code."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from dni_exporters.checkpoints.checkpoint import Checkpoint
from dni_exporters.sources import StateDict, check_arch
from dni_runtime import ArchitectureError

from .network_code import call, first_line
from .within_bounds import check_scale, within_bounds


@dataclass(frozen=True, slots=True)
class Architecture:
    """A built network with what is known about the images that it takes.

    network:        on the CPU, in evaluation mode, float32.
    load:           turns a checkpoint's state dict into one with the network's own names.
    channels:       of the input; None where unknown.
    size_multiple, size_minimum: of input height and width in pixels; None where unknown.
    """

    network: nn.Module
    name: str
    load: Callable[[StateDict], dict[str, Tensor]]
    channels: int | None = None
    size_multiple: int | None = None
    size_minimum: int | None = None


def build(arch: str | nn.Module, checkpoint: Checkpoint, arch_args: Mapping[str, Any] | None = None) -> Architecture:
    """The network for `checkpoint`.

    `arch` is `auto` (spandrel detects the network), a name that spandrel knows, `module:callable` or
    `path.py:callable` (called with `arch_args`; returns an nn.Module), or a built nn.Module.

    Raises ArchitectureError where there is no such network or the weights do not fit it.
    """
    check_arch(arch, arch_args)
    if not isinstance(arch, str):
        return _from_module(_copy(arch), type(arch).__name__, checkpoint)
    if ":" in arch:
        return _from_module(call(arch, arch_args or {}), arch.rpartition(":")[2], checkpoint)
    return _from_spandrel(arch, checkpoint)


def load_endpoints(architecture: Architecture, checkpoints: Sequence[Checkpoint]) -> list[StateDict]:
    """Every endpoint's state dict under the network's own names; the first one's is in the network already."""
    first = {name: tensor.detach().clone() for name, tensor in architecture.network.state_dict().items()}
    return [first, *(architecture.load(c.tensors) for c in checkpoints[1:])]


def _from_spandrel(arch: str, checkpoint: Checkpoint) -> Architecture:
    try:
        from spandrel import MAIN_REGISTRY, ImageModelDescriptor, ModelLoader, UnsupportedModelError
    except ImportError:
        raise ArchitectureError(
            'detecting the network needs spandrel: pip install "dni-deploy[export]"; or name it: --arch module:callable'
        ) from None
    # spandrel's detection looks at names and shapes and renames in place: it gets dictionaries of its own.
    make = ModelLoader(device="cpu").load_from_state_dict
    if arch != "auto":
        make = MAIN_REGISTRY[_spandrel_id(arch)].architecture.load
    try:
        descriptor = _fit(make, arch, checkpoint.name, checkpoint.tensors)
    except UnsupportedModelError:
        raise ArchitectureError(
            f"no known network fits {checkpoint.name} ({len(checkpoint.tensors)} tensors, first "
            f"{', '.join(list(checkpoint.tensors)[:3])}); say which it is, with the function or class that builds it:",
            "  --arch path/to/network.py:Network --arch-arg features=64",
        ) from None
    if not isinstance(descriptor, ImageModelDescriptor):
        raise ArchitectureError(
            f"{checkpoint.name} is a {descriptor.architecture.name} network for {descriptor.purpose.lower()}, which "
            "takes more than one image; expected a network from one image to one image"
        )
    check_scale(checkpoint.name, descriptor.scale)
    architecture = descriptor.architecture
    network = descriptor.model.float().eval()
    names = list(network.state_dict())

    def load(tensors: StateDict) -> dict[str, Tensor]:
        weights = _fit(architecture.load, architecture.name, "an endpoint", tensors).model.float().state_dict()
        if list(weights) != names:
            raise ArchitectureError(f"the endpoints are different variants of the network {architecture.name}")
        return dict(weights)

    sizes = descriptor.size_requirements
    return Architecture(
        network=network,
        name=architecture.name,
        load=load,
        channels=descriptor.input_channels,
        size_multiple=sizes.multiple_of,
        size_minimum=max(1, sizes.minimum),
    )


def _fit(make: Callable[[dict[str, Tensor]], Any], arch: str, owner: str, tensors: StateDict) -> Any:
    """spandrel's description of a network with the weights `tensors` of `owner`."""
    from spandrel import UnsupportedModelError

    try:
        with within_bounds(owner, tensors):
            return make(dict(tensors))
    except (ArchitectureError, UnsupportedModelError):
        raise
    except Exception as error:  # weights of another network break spandrel's loaders in any way
        said = f"({type(error).__name__}: {first_line(error)})"
        if arch == "auto":
            raise ArchitectureError(
                f"{owner} looks like a network that spandrel knows, and does not fit it {said}; say which network it "
                "is, with the function or class that builds it: --arch path/to/network.py:Network"
            ) from None
        raise ArchitectureError(f"{owner} does not fit the network {arch!r} {said}; try --arch auto") from None


def _spandrel_id(name: str) -> str:
    from spandrel import MAIN_REGISTRY

    known = {support.architecture.id: support.architecture.name for support in MAIN_REGISTRY}
    for identifier, title in known.items():
        if name.lower() in (identifier.lower(), title.lower()):
            return str(identifier)
    raise ArchitectureError(
        f"--arch {name!r} is no network that spandrel knows; expected auto, one of {', '.join(sorted(known))}, "
        "or code: module:callable, path.py:callable"
    )


def _from_module(network: nn.Module, name: str, checkpoint: Checkpoint) -> Architecture:
    network.float().eval()

    def load(tensors: StateDict) -> dict[str, Tensor]:
        try:
            network.load_state_dict(tensors, strict=True)
        except RuntimeError as error:
            lines = [line.strip() for line in str(error).splitlines()[1:]]
            raise ArchitectureError(
                f"the weights do not fit the network {name}:",
                *(f"  {line}" for line in lines),
                "Check --arch and its --arch-arg KEY=VALUE",
            ) from None
        return {key: value.detach().clone() for key, value in network.state_dict().items()}

    load(checkpoint.tensors)
    return Architecture(network=network, name=name, load=load)


def _copy(network: nn.Module) -> nn.Module:
    """A workspace: other weights are loaded into the network, and the caller's own has to stay as it is."""
    try:
        return copy.deepcopy(network)
    except Exception as error:  # modules may hold anything
        raise ArchitectureError(
            f"the network {type(network).__name__} cannot be copied ({first_line(error)}), and its weights have to be "
            'replaced for the export; give the code that builds it instead: arch="module:callable"'
        ) from error
