"""`inspect_endpoints` and `inspect_checkpoint`: what can be told before anything is exported."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from .clock import Progress
from .extra import heavy_imports, require_extra
from .networks.arguments import check_arch
from .report import CheckpointReport, EndpointsReport
from .sources import EndpointSource, check_range, check_source, check_sources
from .torch_types import nn
from .verdict.photographs import read_photographs
from .verdict.verdict import Seen


def inspect_endpoints(
    first: EndpointSource,
    second: EndpointSource,
    *,
    arch: str | nn.Module = "auto",
    arch_args: Mapping[str, Any] | None = None,
    value_range: tuple[float, float] = (0.0, 1.0),
    photos: str | PathLike[str] | None = None,
    progress: Progress | None = None,
    seen: Seen | None = None,
) -> EndpointsReport:
    """Compare two endpoints, and tell whether blends work from what their network makes of photographs.

    arch, arch_args, value_range: as in `export`.
    photos:          a folder of the photographs to try, instead of those that come with this package.
    progress:        called with the name of each photograph's trial as it begins.
    seen:            called with a photograph's name, and alpha and picture, float32 (H, W, C) in 0..1, of the ends and
                     of what lies between.

    Raises CheckpointError where one cannot be read, ArchitectureError where `arch` was given and does not
    fit, InputError where there is no photograph to read; a network that cannot be detected or run is only noted.
    """
    photographs = None if photos is None else read_photographs(photos)
    check_sources([first, second])
    if arch != "auto":  # what was said of one that is to be found is noted
        check_arch(arch, arch_args, 2)
    check_range(value_range, arch)
    require_extra()
    with heavy_imports():
        from .checking.compare import compare
        from .verdict.judge import Trials

    return compare(first, second, arch, arch_args, value_range, Trials(photographs, progress, seen))


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
