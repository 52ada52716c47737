"""A run, from what it is asked to be to its results."""

from __future__ import annotations

import contextlib

from dni_deploy.frames import Job, enhance_frames, find_finished, make_here, make_on_ray, model_digest
from dni_deploy.photographs.enhance_files import enhance_planned
from dni_deploy.photographs.planned import EnhancedFile
from dni_deploy.terminal import Terminal
from dni_runtime import Model, load

from .job import RunJob


def run(job: RunJob, terminal: Terminal) -> list[EnhancedFile]:
    """Make all results of `job`, in the order of its inputs; `terminal` is told what is being done.

    An image that fails does not stop the others: its EnhancedFile carries the error. The sheet is left to
    `write_sheet`, because the results are worth telling of before it.

    Raises a DniError where nothing could be started.
    """
    for remark in job.check():
        terminal.tell(remark)
    return _run_frames(job, terminal) if job.goes_on else _run_files(job, terminal)


def _run_files(job: RunJob, terminal: Terminal) -> list[EnhancedFile]:
    with job.load() as model:
        terminal.tell(_where(job, model))
        planned = job.plan(model)
        with terminal.progress() as report:
            return enhance_planned(model, planned, job, overwrite=job.force, progress=report)


def _run_frames(job: RunJob, terminal: Terminal) -> list[EnhancedFile]:
    """A run that can be taken up again: with a table of alphas, over a cluster, or both."""
    frames = Job(job, model_digest(job.model))
    with contextlib.ExitStack() as stack:
        if job.ray is None:
            model = stack.enter_context(job.load())
            terminal.tell(_where(job, model))
            make = make_here(model, frames)
        else:
            # Only to check alphas: nothing is prepared, and the graphics card may be elsewhere.
            model = stack.enter_context(load(job.model, "cpu", alpha_policy="pinned"))
            make = make_on_ray(job.ray, frames, terminal.tell)
        planned = job.plan(model)
        with terminal.progress("comparing ") as report:
            finished = find_finished(planned, frames, report)
        with terminal.progress() as report:
            return enhance_frames(planned, finished, make, overwrite=job.force, progress=report)


def _where(job: RunJob, model: Model) -> str:
    """Where it runs, and why there; what a GPU lacks is a long story, for those who want one."""
    why = model.provider_note
    if job.provider == "auto" and model.provider == "cpu":
        why = "cuda cannot be used; --provider cuda tells why"
    return f"running on {model.provider} ({why})"
