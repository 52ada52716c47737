"""The two networks of a fit, opened: as states of one network, or as a network and its teacher."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dni_exporters.checkpoints.checkpoint import Checkpoint, of_like_names
from dni_exporters.networks.aligned import align_or_refuse
from dni_exporters.networks.architecture import Architecture, build
from dni_exporters.networks.arguments import for_each
from dni_exporters.networks.called import in_units
from dni_exporters.networks.probe import ImageContract, forward, probe
from dni_exporters.sources import StateDict
from dni_exporters.tracing.unfuse import unfuse
from dni_runtime import ArchitectureError, EndpointError
from dni_runtime.metadata import AVERAGES, WHOLE
from dni_runtime.sizes import Sizes

from .job import FitJob
from .learner import LOOKS_AT_ALL, Recipe
from .points import Task, VectorNetwork


@dataclass(frozen=True, slots=True)
class Opened:
    """sizes: of images that both networks take. recipe: what suits them."""

    task: Task
    name: str
    channels: int
    sizes: Sizes
    notes: list[str]
    recipe: Recipe

    def side(self, wanted_px: int) -> int:
        """The smallest side of an image of so many pixels or more."""
        return self.sizes.side(wanted_px)

    def point(self, job: FitJob, a: Checkpoint, start: Checkpoint) -> Tensor:
        """What is learnt, (1, parameters), as `start` has it. Raises EndpointError where that is not like A."""
        state = align_or_refuse(job.arch, of_like_names([a, start]), job.arch_args).states[1]
        return self.task.network.vector(state)[None]

    def put_before(self, alpha: float) -> None:
        """Make the network what it was before anything was learnt: of a curve that is the straight line."""
        self.task.put(alpha, self.task.learnt)


def open_networks(job: FitJob, checkpoints: Sequence[Checkpoint], device: torch.device) -> Opened:
    """Build what the checkpoints A and B are. Raises ArchitectureError and EndpointError."""
    a, b = checkpoints
    if a.sha256 == b.sha256:
        raise EndpointError(f"{a.name} and {b.name} hold the same weights; nothing lies between them")
    return _lesson(job, a, b, device) if job.teach else _curve(job, a, b, device)


def _curve(job: FitJob, a: Checkpoint, b: Checkpoint, device: torch.device) -> Opened:
    try:
        aligned = align_or_refuse(job.arch, [a, b], job.arch_args)
    except EndpointError as error:
        raise EndpointError(*error.args, "A can learn the pictures of a B of the same scale: --teach") from None
    first, last = aligned.states
    if all(tensor.equal(last[name]) for name, tensor in first.items()):
        raise EndpointError(f"{a.name} and {b.name} hold the same weights; nothing lies between them")
    architecture = aligned.architecture
    in_units(architecture.network, job.value_range)
    contract, notes = _contract(architecture)
    task = Task(VectorNetwork(architecture.network, (first, last), device), first, last, job.middles)
    return _opened(task, architecture, [contract], [*aligned.notes, *notes, *_of_names(first, a, architecture)])


def _lesson(job: FitJob, a: Checkpoint, b: Checkpoint, device: torch.device) -> Opened:
    own, its = for_each(job.arch, job.arch_args, 2)
    learner = build(job.arch, a, own)
    teacher = build(job.arch, b, its) if job.arch_b is None else build(job.arch_b, b)
    in_units(learner.network, job.value_range)
    in_units(teacher.network, job.value_range if job.arch_b is None else job.range_b)
    first = {name: tensor.detach().clone() for name, tensor in learner.network.state_dict().items()}
    contract, notes = _contract(learner)
    theirs, _ = _contract(teacher)
    image = torch.zeros(1, contract.input_shape[1], *_common_sizes(contract, theirs).wide(16))
    ours, wanted = (forward(each.network, image) for each in (learner, teacher))
    if ours is None or wanted is None or ours.shape != wanted.shape:
        told = [f"{c.name} is {_described(n, k)}" for c, n, k in ((a, learner, contract), (b, teacher, theirs))]
        raise EndpointError(f"{' and '.join(told)}; expected two networks that make pictures of one size of an image")
    network = VectorNetwork(learner.network, (first, first), device)
    taught_by = teacher.network.to(device).requires_grad_(False)

    def show(x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            output: torch.Tensor = taught_by(x)
        return output

    task = Task(network, first, first, teacher=show)
    return _opened(task, learner, [contract, theirs], [*notes, *_of_names(first, a, learner)])


def _opened(task: Task, architecture: Architecture, contracts: Sequence[ImageContract], notes: list[str]) -> Opened:
    return Opened(
        task,
        architecture.name,
        contracts[0].input_shape[1],
        _common_sizes(*contracts),
        notes,
        LOOKS_AT_ALL if any(contract.view in (AVERAGES, WHOLE) for contract in contracts) else Recipe(),
    )


def _contract(architecture: Architecture) -> tuple[ImageContract, list[str]]:
    contract = probe(architecture)
    channels = {contract.input_shape[1], contract.out_channels}
    if not channels <= {1, 3}:
        raise ArchitectureError(
            f"{architecture.name} takes {contract.input_shape[1]} and gives {contract.out_channels} channels; expected "
            "3 or 1, as photographs have"
        )
    return contract, unfuse(architecture.network, contract.input_shape)


def _common_sizes(*contracts: ImageContract) -> Sizes:
    return Sizes(
        math.lcm(*(contract.size_multiple for contract in contracts)),
        max(contract.size_minimum for contract in contracts),
        any(contract.size_square for contract in contracts),
    )


def _described(architecture: Architecture, contract: ImageContract) -> str:
    scale = "" if contract.scale is None else f", scale {contract.scale:g}"
    return f"{architecture.name}, {contract.input_shape[1]} to {contract.out_channels} channels{scale}"


def _of_names(state: StateDict, checkpoint: Checkpoint, architecture: Architecture) -> list[str]:
    """A note where what is written has other names than the file of A."""
    if checkpoint.tensors.keys() <= state.keys():
        return []
    return [f"written under the names of {architecture.name}'s code, which are not those in {checkpoint.name}"]
