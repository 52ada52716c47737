"""Results that a run goes on with: planned, compared with what is there, and made."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from dni_deploy.photographs.choose import check_wanted
from dni_deploy.photographs.enhance_files import Make, Progress, make_planned
from dni_deploy.photographs.inputs import Found, find_images
from dni_deploy.photographs.making.overlapped import Done, Report, make_overlapped
from dni_deploy.photographs.making.steps import Steps
from dni_deploy.photographs.names import Naming
from dni_deploy.photographs.places import AS_INPUTS, check_free, make_folder
from dni_deploy.photographs.planned import EnhancedFile, Planned, plan_results
from dni_runtime import InputError, Model

from .alpha_table import alpha_columns
from .finished import FOLDER, Finished, Job, Noted
from .sidecar import read_sidecar


def plan_frames(
    model: Model,
    inputs: Sequence[Path],
    output: Path,
    sidecar: Path,
    *,
    found: Found | None = None,
    naming: Naming = AS_INPUTS,
) -> list[Planned]:
    """A frame for each image of the one folder in `inputs`, with the alpha that `sidecar` has for it.

    found: the images of the folder, where not just all of it are meant.

    Raises InputError or AlphaError for a table that does not fit the folder and the model (`read_sidecar`),
    OutputError for an output that cannot take the results.
    """
    folder = one_folder(inputs)
    planned = plan_results(found or find_images(inputs), output, [None], naming)
    files = [frame.input for frame in planned]
    alphas = read_sidecar(sidecar, folder, files, partial(check_wanted, model), alpha_columns(model.metadata))
    return [replace(frame, alpha=alpha) for frame, alpha in zip(planned, alphas, strict=True)]


def one_folder(inputs: Sequence[Path]) -> Path:
    """The folder that a table of alphas is for. Raises InputError for anything else."""
    if len(inputs) != 1 or not os.path.isdir(inputs[0]):
        given = f"{inputs[0]} is none" if len(inputs) == 1 else f"{len(inputs)} inputs were given"
        raise InputError(f"a table of alphas is for the images of one folder, but {given}")
    return inputs[0]


def enhance_frames(
    planned: Sequence[Planned],
    there: Mapping[Planned, EnhancedFile],
    make: Make,
    *,
    overwrite: bool = False,
    tell: Callable[[EnhancedFile], None] | None = None,
    progress: Progress | None = None,
) -> list[EnhancedFile]:
    """Make all of `planned` that are not `there`; results in the order of `planned`.

    `there`: what `find_finished` found. A frame that fails does not stop the others: its EnhancedFile carries the
    error. `tell`, `progress`: see `make_planned`.

    Raises OutputError, before anything runs, for other files that are in the way, unless `overwrite`.
    """
    if not overwrite:
        check_not_in_the_way([plan for plan in planned if plan not in there], len(there))
    return make_planned(planned, make, there=there, tell=tell, progress=progress)


def check_not_in_the_way(missing: Sequence[Planned], finished: int = 0) -> None:
    """Raise OutputError where the place of one of `missing` is taken. `finished`: how many others there are."""
    check_free(
        (plan.output for plan in missing),
        ", and not just as this run would make it (input, alpha, model, options)",
        f", which keeps finished results ({finished} here)",
    )


def find_finished(
    planned: Sequence[Planned], job: Job, progress: Progress | None = None
) -> dict[Planned, EnhancedFile]:
    """Which of `planned` are there already, just as `job` would make them. Reads them and their inputs."""
    finished = Finished(job.folder)
    rows = [list(row) for _, row in groupby(planned, attrgetter("input"))]
    found: dict[Planned, EnhancedFile] = {}
    compared = 0
    with ThreadPoolExecutor() as pool:  # hashing and reading free Python's lock
        for row, held in zip(rows, pool.map(lambda row: finished.held(row, job), rows), strict=True):
            found |= {plan: plan.result(kept=True) for plan in held}
            compared += len(row)
            if progress is not None:
                progress(compared, len(planned), row[0].input)
    return found


def make_here(model: Model, job: Job) -> Make:
    """Results on `model`, files being read and written meanwhile."""

    def make(planned: Sequence[Planned], report: Report, done: Done) -> None:
        make_folder(job.folder / FOLDER)
        make_overlapped(Steps(model, job.made_with, Noted(job), job.overwrite), planned, report, done)

    return make
