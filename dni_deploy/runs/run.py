"""A run, from what it is asked to be to its results."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from dni_deploy.frames import Job, find_finished, make_here, make_on_ray, model_digest
from dni_deploy.frames.enhance_frames import check_not_in_the_way
from dni_deploy.photographs.enhance_files import Make, make_planned
from dni_deploy.photographs.making.overlapped import make_overlapped
from dni_deploy.photographs.making.steps import Steps
from dni_deploy.photographs.places import check_free, check_sheet_place, make_folder
from dni_deploy.photographs.planned import EnhancedFile, Planned
from dni_deploy.terminal import Terminal
from dni_runtime import Model, OutputError, load

from .comparisons import Comparisons, write_comparison
from .job import RunJob

THERE = "there already"
"""What is noted of a result that `skip_existing` left."""
WOULD_BE_MADE = "would be made"
"""What is noted of a result of a job that is `dry`."""

Tell = Callable[[EnhancedFile], None]


def run(job: RunJob, terminal: Terminal, tell: Tell | None = None) -> list[EnhancedFile]:
    """Make all results of `job`, in the order of its inputs; `terminal` is told what is being done.

    tell: called with each result, in that order, as soon as it and all before it are there, maybe by another thread.

    An image that fails does not stop the others: its EnhancedFile carries the error. The sheet is left to
    `write_sheet`.

    Raises a DniError where nothing could be started. Ctrl-C ends with KeyboardInterrupt, whose note says what is done.
    """
    if job.is_comparison:
        return _compare(job, terminal, tell)
    checked = job.check()
    for remark in checked.remarks:
        terminal.tell(remark)
    results: list[EnhancedFile] = []
    planned: Sequence[Planned] = ()
    compared: Comparisons | None = None

    def told(result: EnhancedFile) -> None:
        if compared is not None:
            result = compared.add(result)
        results.append(result)
        if tell is not None:
            tell(result)

    try:
        with contextlib.ExitStack() as stack:
            model = stack.enter_context(_open(job, terminal))
            planned = job.plan(model, checked)
            if job.compare:
                compared = Comparisons(planned, job.folder(planned), force=job.force, dry=job.dry)
            _make(job, model, planned, terminal, told)
            if (found := job.measured(model)) is not None:
                terminal.tell(found)
    except KeyboardInterrupt as interrupt:
        if planned:
            interrupt.add_note(_so_far(job, results, planned))
        raise
    if compared is not None:
        compared.finish()
    return results


def _compare(job: RunJob, terminal: Terminal, tell: Tell | None) -> list[EnhancedFile]:
    """Results that are kept in one comparison alone, which is what they are told to be in."""
    check_sheet_place(job.output, force=job.force)
    if job.output.resolve() == job.inputs[0].resolve():
        raise OutputError(f"{job.output} is the input and would be overwritten; choose another output")

    def told(result: EnhancedFile) -> None:
        if tell is not None:
            tell(replace(result, output=job.output))

    with tempfile.TemporaryDirectory(prefix="dni-run-") as folder:
        try:
            results = run(replace(job, output=Path(folder), compare=False), terminal, told)
        except KeyboardInterrupt as interrupt:
            interrupt.__notes__ = ["interrupted: nothing was written"]
            raise
        if not job.dry and not any(result.error for result in results):
            make_folder(job.output.parent)
            write_comparison(job.output, results)
    return [replace(result, output=job.output) for result in results]


def _open(job: RunJob, terminal: Terminal) -> Model:
    if job.dry or job.ray is not None:
        # Only to check alphas: nothing is prepared, and the graphics card may be elsewhere.
        return load(job.model, "cpu", alpha_policy="pinned")
    model = job.load()
    terminal.tell(job.where(model))
    return model


def _make(job: RunJob, model: Model, planned: Sequence[Planned], terminal: Terminal, tell: Tell) -> list[EnhancedFile]:
    goes_on = job.goes_on(planned)
    notes = Job(job, model_digest(job.model), job.folder(planned), job.force, job.skip_existing) if goes_on else None
    # Before the notes are read: another process notes a result before that gets its name.
    taken = [plan for plan in planned if os.path.lexists(plan.output)]
    there = {plan: plan.result(kept=True, notes=(THERE,)) for plan in taken} if job.skip_existing else {}
    if notes is not None and not job.skip_existing:
        with terminal.progress("comparing ") as report:
            there = find_finished(planned, notes, report)
    if not job.force:
        in_the_way = [plan for plan in taken if plan not in there]
        if notes is None:
            check_free(plan.output for plan in in_the_way)
        else:
            check_not_in_the_way(in_the_way, len(there))
    if job.dry:
        return _listed(planned, there, tell)
    make: Make
    if notes is None:
        make = partial(make_overlapped, Steps(model, job, overwrite=job.force))
    else:
        make = make_here(model, notes) if job.ray is None else make_on_ray(job.ray, notes, terminal.tell)
    with terminal.progress() as report:
        return make_planned(planned, make, there=there, tell=tell, progress=report)


def _listed(planned: Sequence[Planned], there: Mapping[Planned, EnhancedFile], tell: Tell) -> list[EnhancedFile]:
    """What would come of each, were it made."""
    results = [there.get(plan) or plan.result(notes=(WOULD_BE_MADE,)) for plan in planned]
    for result in results:
        tell(result)
    return results


def _so_far(job: RunJob, results: Sequence[EnhancedFile], planned: Sequence[Planned]) -> str:
    """What to say of a run that was interrupted."""
    there = {result.output for result in results if result.error is None}
    if not job.force:  # then it is ours, told of or not: a cluster's workers are ahead of what is told
        there |= {plan.output for plan in planned if os.path.lexists(plan.output)}
    failed = sum(result.error is not None for result in results)
    done = f"{len(there)} of {len(planned)} results are there{f', {failed} failed' if failed else ''}"
    return f"interrupted: {done}{'; the same command goes on from here' if job.goes_on(planned) else ''}"
