"""`inspect_endpoints`: what can be told about endpoints before anything is exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .checkpoints.endpoints import Lineage
from .extra import require_extra
from .sources import EndpointSource, check_arch, check_sources

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of a network's output for the probe image, in units of the output (usually 0..1)."""

    alpha: float
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class EndpointsReport:
    """Whether two endpoints can be blended, and whether the result promises anything.

    differences: why they cannot be; empty where they can.
    lineage:     None where they cannot be blended.
    outputs:     at alpha 1, 0.5 and 0, for a small picture with slopes, edges and noise. A middle whose
                 deviation is far below both ends' is grey: the networks do not interpolate.
    notes:       for the user.
    """

    endpoints: tuple[str, ...]
    tensors: int
    parameters: int
    architecture: str
    scale: float | None
    differences: tuple[str, ...]
    lineage: Lineage | None
    outputs: tuple[Statistics, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def inspect_endpoints(
    first: EndpointSource,
    second: EndpointSource,
    *,
    arch: str | nn.Module = "auto",
    arch_args: Mapping[str, Any] | None = None,
) -> EndpointsReport:
    """Compare two endpoints, and run their network where it can be built (`arch` as in `export`).

    Raises CheckpointError where one cannot be read, ArchitectureError where `arch` was given and does not
    fit; a network that cannot be detected or run is only noted.
    """
    check_sources([first, second])
    check_arch(arch, arch_args)
    require_extra()
    from .checking.compare import compare

    return compare(first, second, arch, arch_args)
