"""One checkpoint by itself: what it is, and where in its file the weights are."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from torch import nn

from dni_exporters.checkpoints.checkpoint import Checkpoint, read_endpoints
from dni_exporters.checkpoints.middles import read_middle
from dni_exporters.networks.architecture import Architecture, build
from dni_exporters.networks.network_code import one_line
from dni_exporters.networks.probe import probe
from dni_exporters.opening import parts_of
from dni_exporters.report import CheckpointReport
from dni_exporters.sources import EndpointSource
from dni_runtime import ArchitectureError


def describe(source: EndpointSource, arch: str | nn.Module, arch_args: Mapping[str, Any] | None) -> CheckpointReport:
    """See `inspect_checkpoint`."""
    (checkpoint,), notes = read_endpoints([source])
    if checkpoint.path and (middle := read_middle(checkpoint.path)):
        notes.append(f"it is {middle}")
    architecture: Architecture | None = None
    scale, channels = None, None
    try:
        architecture = build(arch, checkpoint, arch_args)
        notes += architecture.notes
        contract = probe(architecture)
        scale, channels = contract.scale, (contract.input_shape[1], contract.out_channels)
    except ArchitectureError as error:
        if arch != "auto" and architecture is None:
            raise
        notes.append(one_line(error))
    return CheckpointReport(
        name=checkpoint.name,
        bytes=sum(part.stat().st_size for part in parts_of(checkpoint.path)) if checkpoint.path else None,
        sha256=checkpoint.sha256,
        architecture=architecture.name if architecture else "",
        settings={k: str(v) for k, v in architecture.settings.items()} if architecture else {},
        scale=scale,
        channels=channels,
        tensors=len(checkpoint.tensors),
        parameters=_parameters(checkpoint, architecture),
        dtypes=_dtypes(checkpoint),
        nesting=checkpoint.nesting,
        prefix=checkpoint.prefix,
        values=checkpoint.values,
        notes=tuple(notes),
    )


def _parameters(checkpoint: Checkpoint, architecture: Architecture | None) -> int:
    """How many numbers were learnt; of an unknown network, all that are not whole."""
    if architecture is not None:
        return sum(parameter.numel() for parameter in architecture.network.parameters())
    return sum(tensor.numel() for tensor in checkpoint.tensors.values() if tensor.is_floating_point())


def _dtypes(checkpoint: Checkpoint) -> dict[str, int]:
    """How many tensors there are of each dtype, the most frequent first."""
    found = Counter(str(tensor.dtype).removeprefix("torch.") for tensor in checkpoint.tensors.values())
    return dict(found.most_common())
