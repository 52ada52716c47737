"""theta(alpha) of checkpoints: which of their tensors are blended, and under which names."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from dni_exporters.checkpoints.checkpoint import Checkpoint
from dni_exporters.checkpoints.endpoints import Lineage, differences, is_leftover, lineage, promotions
from dni_exporters.graphs.blend import theta
from dni_exporters.networks.aligned import align_or_refuse
from dni_exporters.networks.arguments import Arguments
from dni_exporters.networks.known.calls import as_published
from dni_exporters.networks.tables import is_table
from dni_exporters.sources import Route, StateDict
from dni_runtime import ArchitectureError

from .along import read_along


@dataclass(frozen=True, slots=True)
class Blended:
    """What was blended, and of what.

    theta:       under A's names; under the network's own where the endpoints call their weights differently.
    switches:    what else A's network was built with, beside its tensors, as spandrel keeps it (Real-CUGAN's `pro`).
    checkpoints: as they were read.
    lineage:     of the first and the last endpoint.
    notes:       for the user.
    """

    theta: dict[str, Tensor]
    switches: dict[str, Tensor]
    checkpoints: list[Checkpoint]
    lineage: Lineage
    notes: list[str]


def blended(route: Route, alpha: tuple[float, ...], arch: str | nn.Module, arch_args: Arguments) -> Blended:
    """Read and blend. A network that spandrel does not know, and nobody named, is blended by names and shapes alone.

    Raises CheckpointError, EndpointError, or ArchitectureError.
    """
    along = read_along(route)
    checkpoints, notes = along.checkpoints, along.notes
    states: Sequence[StateDict] = [c.tensors for c in checkpoints]
    switches: dict[str, Tensor] = {}
    aligned = None
    if arch != "auto" or not _are_alike(checkpoints):
        try:
            aligned = align_or_refuse(arch, checkpoints, arch_args)
        except ArchitectureError:
            if arch != "auto":
                raise
    if aligned is None:
        related = lineage(states[0], states[-1])
    else:
        related = lineage(aligned.states[0], aligned.states[-1], aligned.learnt)
        network = aligned.architecture.network
        if differences(checkpoints):
            states = _as_stored([as_published(network, state) for state in aligned.states], checkpoints)
            if states[0].keys() - checkpoints[0].tensors.keys():
                notes.append(
                    f"written under the names of spandrel's {aligned.architecture.name}: the endpoints' differ"
                )
        own = aligned.states[0]
        switches = {name: own[name] for name in checkpoints[0].values if name in own and name not in states[0]}
    notes += promotions(checkpoints)
    return Blended(theta(states, alpha, along.formula(states)), switches, checkpoints, related, notes)


def _are_alike(checkpoints: Sequence[Checkpoint]) -> bool:
    """Whether files are so much alike that spandrel builds one network of them: they need not be built to know."""
    tables = [{name: t for name, t in c.tensors.items() if is_table(name)} for c in checkpoints]
    return (
        len(checkpoints) > 1
        and not differences(checkpoints)
        and not any(c.values for c in checkpoints)
        and all(t.dtype == o[name].dtype and t.equal(o[name]) for o in tables[1:] for name, t in tables[0].items())
    )


def _as_stored(states: Sequence[StateDict], checkpoints: Sequence[Checkpoint]) -> Sequence[StateDict]:
    """Networks are built in float32; endpoints that are all stored in one other dtype get it back."""
    read = (item for c in checkpoints for item in c.tensors.items())
    dtypes = {tensor.dtype for name, tensor in read if tensor.is_floating_point() and not is_leftover(name)}
    if len(dtypes) != 1:
        return states
    (dtype,) = dtypes
    return [{k: t.to(dtype) if t.is_floating_point() else t for k, t in state.items()} for state in states]
