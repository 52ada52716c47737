"""Every endpoint as a state of one network: what spandrel, or the network's own code, makes of each file.

What is blended and compared is what was built. Old and new names of one architecture, half precision beside single,
tables that one file has and another lacks, switches beside the tensors: building settles all of that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from dni_exporters.checkpoints.checkpoint import Checkpoint
from dni_exporters.checkpoints.endpoints import check_endpoints, differences, promotions, refuse
from dni_exporters.sources import StateDict, check_count
from dni_runtime import ArchitectureError

from .architecture import Architecture, build, from_code, load
from .arguments import Arguments, for_each, is_known
from .built import built_differently
from .known.finding import UnknownNetworkError
from .tables import fitted, shared_tables


@dataclass(frozen=True, slots=True)
class Aligned:
    """Endpoints as states of one network.

    architecture: of the first endpoint, with its weights.
    states:       of all endpoints, under the network's own names, float32; () where they cannot be blended.
    learnt:       the names of the parameters among them, which tell how near endpoints are to each other.
    reasons:      why the endpoints cannot be blended, in sentences; () where they can, or where names alone tell why.
    differences:  in which tensors they differ, a line for each.
    notes:        for the user.
    """

    architecture: Architecture
    states: Sequence[StateDict]
    learnt: frozenset[str]
    reasons: Sequence[str]
    differences: Sequence[str]
    notes: Sequence[str]


def align(arch: str | nn.Module, checkpoints: Sequence[Checkpoint], arch_args: Arguments = None) -> Aligned:
    """Build the network of `checkpoints`, and bring them all into its form. `arch` as in `build`.

    arch_args: a noise level may be one for each checkpoint (`arguments`).

    Raises ArchitectureError where there is no such network, or the weights do not fit it.
    """
    if is_known(arch):
        completed = shared_tables(checkpoints)
        given = for_each(arch, arch_args, len(checkpoints))
        architecture = build(arch, completed[0], given[0])
        states, reasons, lines = _as_known(str(arch), architecture, completed, given)
    else:
        architecture = from_code(arch, arch_args)
        states, reasons, lines = _as_code(architecture, checkpoints)
    learnt = frozenset(name for name, _ in architecture.network.named_parameters())
    if reasons or lines:
        return Aligned(architecture, (), learnt, reasons, lines, ())
    notes = [*promotions(checkpoints, "float32"), *architecture.notes]
    return Aligned(architecture, states, learnt, (), (), notes)


def align_or_refuse(arch: str | nn.Module, checkpoints: Sequence[Checkpoint], arch_args: Arguments = None) -> Aligned:
    """As `align`, for endpoints that are to be blended: raises EndpointError where they differ."""
    check_count(len(checkpoints))
    try:
        aligned = align(arch, checkpoints, arch_args)
    except ArchitectureError:
        if arch == "auto":  # what they differ in says more than that spandrel knows no such network
            check_endpoints(checkpoints)
        raise
    refuse(checkpoints, aligned.differences, aligned.reasons)
    return aligned


def _as_known(
    arch: str, architecture: Architecture, checkpoints: Sequence[Checkpoint], arch_args: Sequence[Arguments]
) -> tuple[list[StateDict], list[str], list[str]]:
    """The states of all endpoints, each built by itself, and why they cannot be blended: sentences, and by name."""
    network, first = architecture.network, checkpoints[0]
    states: list[StateDict] = [{name: tensor.detach().clone() for name, tensor in network.state_dict().items()}]
    reasons: list[str] = []
    lines: list[str] = []
    for checkpoint, own_args in zip(checkpoints[1:], arch_args[1:], strict=True):
        try:
            other = build(arch, checkpoint, own_args)
        except ArchitectureError as error:
            if not (found := differences([first, checkpoint])):
                raise
            if isinstance(error, UnknownNetworkError):
                reasons.append(f"{first.name} is {architecture.title}, {checkpoint.name} is none that spandrel knows")
            lines += found
            continue
        its = other.network.state_dict()
        states.append({name: _its_own(its.get(name), tensor) for name, tensor in states[0].items()})
        reason, found = built_differently(architecture, first, other, checkpoint, states[-1])
        reasons += [reason] * bool(reason)
        lines += found
    return states, reasons, lines


def _its_own(tensor: Tensor | None, first: Tensor) -> Tensor:
    """What an endpoint has in the place of the first one's tensor; tables that it has not, or of another size, are
    the first one's, and so are whole numbers."""
    same = tensor is not None and tensor.shape == first.shape and first.is_floating_point()
    return tensor.detach() if tensor is not None and same else first


def _as_code(
    architecture: Architecture, checkpoints: Sequence[Checkpoint]
) -> tuple[list[StateDict], list[str], list[str]]:
    """As `_as_known`, in a network given as code."""
    found = fitted(checkpoints, architecture.network)
    if lines := differences(found):
        load(architecture, found[0].tensors)
        return [], [], lines
    states = [load(architecture, checkpoint.tensors) for checkpoint in found]
    architecture.network.load_state_dict(states[0])
    return list(states), [], []
