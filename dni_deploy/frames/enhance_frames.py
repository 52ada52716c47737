"""Frames of a folder, each with an alpha of its own: planned, compared with what is there, and made."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from dni_deploy.photographs.choose import check_wanted
from dni_deploy.photographs.enhance_files import Progress
from dni_deploy.photographs.inputs import find_images
from dni_deploy.photographs.names import Naming
from dni_deploy.photographs.places import AS_INPUTS, check_free, make_folder
from dni_deploy.photographs.planned import EnhancedFile, Planned, plan_results
from dni_runtime import InputError, Model
from dni_runtime.files.unfinished import remove_unfinished

from .finished import FOLDER, Finished, Job, Writer
from .make import make_frame
from .sidecar import alpha_columns, read_sidecar

Report = Callable[[float, Path], None]
Make = Callable[[Sequence[Planned], Report], Iterator[tuple[int, EnhancedFile]]]
"""Makes frames, in any order, and gives the index and result of each as soon as it is there. It may report what part
of a frame is done meanwhile."""


def plan_frames(
    model: Model,
    inputs: Sequence[Path],
    output: Path,
    sidecar: Path,
    *,
    recursive: bool = False,
    naming: Naming = AS_INPUTS,
) -> list[Planned]:
    """A frame for each image of the one folder in `inputs`, with the alpha that `sidecar` has for it.

    Raises InputError or AlphaError for a table that does not fit the folder and the model (`read_sidecar`),
    OutputError for an output that cannot take the results.
    """
    folder = one_folder(inputs)
    planned = plan_results(find_images(inputs, recursive=recursive, without=output), output, [None], naming)
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
    finished: Set[Planned],
    make: Make,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[EnhancedFile]:
    """Make all frames of `planned` that are not in `finished`; results in the order of `planned`.

    `finished`: what `find_finished` found; they come back as `kept`. A frame that fails does not stop the others: its
    EnhancedFile carries the error.

    Raises OutputError, before anything runs, for other files that are in the way, unless `overwrite`.
    """
    missing = [frame for frame in planned if frame not in finished]
    if not overwrite:
        check_free(
            (frame.output for frame in missing),
            ", and not just as this run would make it (input, alpha, model, options)",
            f", which keeps finished results ({len(finished)} here)",
        )
    make_folder(planned[0].output.parent / FOLDER)
    results = {frame: frame.result(kept=True) for frame in planned if frame in finished}

    def report(part: float, file: Path) -> None:
        if progress is not None:
            progress(len(results) + part, len(planned), file)

    if missing:
        for index, result in make(missing, report):
            results[missing[index]] = result
            report(0, result.input)
        remove_unfinished(frame.output for frame in planned)
    return [results[frame] for frame in planned]


def find_finished(planned: Sequence[Planned], job: Job, progress: Progress | None = None) -> set[Planned]:
    """Which of `planned` are there already, just as `job` would make them. Reads them and their inputs."""
    finished = Finished(frame.output for frame in planned)
    found = set()
    with ThreadPoolExecutor() as pool:  # hashing and reading free Python's lock
        holds = pool.map(lambda frame: finished.holds(frame, job), planned)
        for index, (frame, held) in enumerate(zip(planned, holds, strict=True)):
            if held:
                found.add(frame)
            if progress is not None:
                progress(index + 1, len(planned), frame.input)
    return found


def make_here(model: Model, job: Job) -> Make:
    """Frames one after another on `model`."""

    def make(frames: Sequence[Planned], report: Report) -> Iterator[tuple[int, EnhancedFile]]:
        writer = Writer()
        for index, frame in enumerate(frames):

            def tiles(done: int, of: int, file: Path = frame.input) -> None:
                report(done / of, file)

            yield index, make_frame(model, job, frame, writer, tiles)

    return make
