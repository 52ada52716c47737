"""`inspect_endpoints` and `inspect_checkpoint`: what can be told before anything is exported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .extra import heavy_imports, require_extra
from .report import CheckpointReport, EndpointsReport
from .sources import EndpointSource, check_arch, check_source, check_sources
from .torch_types import nn


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
    if arch != "auto":  # what was said of one that is to be found is noted
        check_arch(arch, arch_args)
    require_extra()
    with heavy_imports():
        from .checking.compare import compare

    return compare(first, second, arch, arch_args)


def inspect_checkpoint(
    source: EndpointSource, *, arch: str | nn.Module = "auto", arch_args: Mapping[str, Any] | None = None
) -> CheckpointReport:
    """Tell what one checkpoint is. Raises as `inspect_endpoints` does."""
    check_source(source)
    if arch != "auto":
        check_arch(arch, arch_args)
    require_extra()
    with heavy_imports():
        from .checking.single import describe

    return describe(source, arch, arch_args)
