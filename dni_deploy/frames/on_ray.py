"""Frames over a Ray cluster, each made by a worker that holds the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from dni_deploy.photographs.choose import Chosen
from dni_deploy.photographs.enhance_files import Make
from dni_deploy.photographs.making.overlapped import Done, Report
from dni_deploy.photographs.making.steps import Steps
from dni_deploy.photographs.places import make_folder
from dni_deploy.photographs.planned import EnhancedFile, Planned

from .cluster import import_ray_for
from .finished import FOLDER, Job, Noted
from .nodes import Shared, check_model, everywhere, with_workers
from .workers import ATTEMPTS, MakePiece, make_on_workers

_REMEDY = "What was finished is kept: start again to go on"


def make_on_ray(address: str, job: Job, tell: Callable[[str], None]) -> Make:
    """Frames over the Ray cluster at `address`, see `connected`; `tell` is told what is being done.

    Every worker holds the model and takes one frame after another; only numbers and error texts travel. A worker
    that dies is replaced and its frame made again. The folders and the model have to be shared by all nodes, with
    the same version of dni-deploy, which is checked first.

    Raises DniError where Ray is not installed; what it returns, where the cluster cannot be used or gives up.
    """
    ray = import_ray_for(address)

    def make(frames: Sequence[Planned], report: Report, done: Done) -> None:
        absolute = [Planned(f.input.absolute(), f.output.absolute(), f.alpha) for f in frames]
        folder = job.folder.absolute()
        make_folder(folder / FOLDER)
        shared = Shared(job.made_with, job.model_sha256, (absolute[0].input, absolute[-1].input), folder / FOLDER)
        with with_workers(ray, address, shared, len(frames), tell) as workers:
            arguments = (replace(job, made_with=everywhere(job.made_with, workers), folder=folder), absolute)
            results = make_on_workers(ray, workers, _begin, arguments, [frame.input for frame in frames], _REMEDY)
            for number, (index, found) in enumerate(results, 1):
                done(index, _result(frames[index], absolute[index], found))
                report(number, frames[index].input)

    return make


def _begin(job: Job, frames: Sequence[Planned]) -> MakePiece:
    """On a worker."""
    check_model(job.made_with.model, job.model_sha256)
    steps = Steps(job.made_with.load(), job.made_with, Noted(job), job.overwrite)

    def make(index: int) -> Any:
        made = steps.make(frames[index])
        return made.seconds, made.error, made.alpha, made.level, made.kept, made.notes

    return make


def _result(frame: Planned, there: Planned, found: Any) -> EnhancedFile:
    if found is None:
        return frame.result(error=f"the worker died {ATTEMPTS} times while it made this frame (out of memory?)")
    seconds, error, *chosen, kept, notes = found
    if error is not None:  # the paths as they were given
        error = error.replace(str(there.input), str(frame.input)).replace(str(there.output), str(frame.output))
    alpha, level = (None if each is None else tuple(each) for each in chosen)
    return frame.result(seconds, error, chosen=Chosen(alpha, level), kept=kept, notes=tuple(notes))
