"""`fit`: what it can be asked, and what is refused before PyTorch is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from dni_runtime import OutputError

from .clock import Progress
from .extra import heavy_imports, require_extra
from .fitting.job import DEGRADE, FitJob, Shown
from .fitting.report import FitReport
from .networks.arguments import check_arch
from .outputs import check_folder, refuse_existing
from .sources import EndpointSource, check_range, check_source, check_sources
from .torch_types import nn
from .verdict.photographs import read_photographs

_MOST_PHOTOGRAPHS = 48
# Of a camera's twelve million pixels a crop of 56 would show one smooth colour.
_LARGEST_PX = 1024


def fit(
    endpoints: Sequence[EndpointSource],
    output: str | PathLike[str],
    *,
    photos: str | PathLike[str],
    teach: bool = False,
    curve: str = "quadratic",
    start: EndpointSource | None = None,
    arch: str | nn.Module = "auto",
    arch_args: Mapping[str, Any] | None = None,
    value_range: tuple[float, float] = (0.0, 1.0),
    arch_b: str | nn.Module | None = None,
    range_b: tuple[float, float] = (0.0, 1.0),
    degrade: Sequence[str] = DEGRADE,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    resume: bool = False,
    anyway: bool = False,
    force: bool = False,
    progress: Progress | None = None,
    shown: Shown | None = None,
) -> FitReport:
    """Learn, from photographs, what makes two networks blend that do not on a straight line.

    A curve's middle C is written, so that t^2 A + 2 t (1-t) C + (1-t)^2 B gives at alpha = t what mixing the pictures
    of A and B would; both ends stay as they are. Or, to `teach`, a network of A's architecture that gives B's
    pictures, and blends with A. Nothing is known about the photographs but that they are some.

    endpoints: A and B, checkpoints (paths) or state dicts.
    output:    the .safetensors to write. Two are for a cubic curve: OUT-1.safetensors and OUT-2.safetensors.
    photos:    a folder of photographs; some, or a part of each, are kept to judge by.
    teach:     B may be of another architecture of the same scale then.
    curve:     "quadratic", or "cubic" for pairs that need more.
    start:     what to begin with in place of the straight line (or of A): what was fitted for a pair like this one.
    arch, arch_args, value_range: as in `export`.
    arch_b, range_b: of the B that teaches, where it is of another architecture, its arch and value_range.
    degrade:   what is done to photographs, as the networks expect it: "noise:LO:HI" (sigma of 255), "jpeg:LO:HI"
               (quality), "blur:LO:HI" (sigma in pixels), or "none".
    minutes:   when it ends at the latest; 10 where there is no `steps` either.
    steps:     how many steps it learns. Repeatable with the same seed and threads, which minutes are not.
    threads:   of the CPU; PyTorch's own number where None.
    resume:    go on from the state that an earlier fit left, which counts with its time and steps; what that fit wrote
               is replaced.
    anyway:    fit where the straight line blends already, too.
    force:     replace existing outputs.
    progress:  called with what is being done, and how it stands.
    shown:     called with pictures before and after, in the end.

    Ctrl-C leaves the state, and ends with KeyboardInterrupt, whose note names the file. Raises a DniError that says
    what is wrong; nothing is written then.
    """
    job = FitJob(**locals())
    from .fitting.crops import check_sizes
    from .verdict.degrade import parse_degradations

    refuse_existing(job.outputs, force=force or resume)
    _check_place(job)
    check_sources(endpoints)
    if start is not None:
        check_source(start)
    check_arch(arch, arch_args, len(endpoints))
    check_range(value_range, arch)
    if arch_b is not None:
        check_arch(arch_b, None)
        check_range(range_b, arch_b)
    degradations = parse_degradations(degrade)
    photographs = read_photographs(photos, _MOST_PHOTOGRAPHS, _LARGEST_PX)
    check_sizes(photographs)
    require_extra()
    with heavy_imports():
        from .fitting.steps import fit_points

    return fit_points(job, photographs, degradations)


def _check_place(job: FitJob) -> None:
    """Raise OutputError where the outputs cannot be written, or would destroy an endpoint."""
    check_folder(job.outputs[0].parent)
    for path in (*job.outputs, job.state):
        for source in job.endpoints:
            if not isinstance(source, Mapping) and path.exists() and Path(source).exists() and path.samefile(source):
                raise OutputError(f"{path} is an endpoint and would be overwritten; choose another output")
    if job.resume and not job.state.is_file():
        raise OutputError(f"there is no state to go on from, {job.state}; leave --resume out to begin anew")
    if not job.resume and job.state.exists() and not job.force:
        raise OutputError(
            f"{job.state} was left by a fit that is not over; go on with --resume, or begin anew with --force"
        )
