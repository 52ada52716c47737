"""From checkpoints and photographs to what was learnt: the order of the steps, nothing else."""

import contextlib
import hashlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from dni_exporters.checkpoints.checkpoint import Checkpoint, read_endpoints
from dni_exporters.clock import Clock
from dni_exporters.verdict import words
from dni_exporters.verdict.beside import NoPictureError
from dni_exporters.verdict.degrade import Degradation, as_json
from dni_exporters.verdict.photographs import Photograph
from dni_runtime import ArchitectureError, EndpointError, InputError

from . import crops
from .course import Bounds
from .job import MINUTES, FitJob
from .judge import Judge
from .learner import Learner, Recipe
from .learning import Fit, asked_to_stop
from .networks import Opened, open_networks
from .report import FitReport, Outcome
from .state import read_state
from .writing import show, write

_HELD_OUT = 6
# What nobody would tell from the mix (benchmarks/real_pairs).
_GOOD_DB = 33.0
_GOOD_SHIFT = 1.0


def fit_points(
    job: FitJob, photographs: Sequence[Photograph], degradations: Sequence[Degradation], recipe: Recipe | None = None
) -> FitReport:
    """Learn what `job` asks for and write it. Raises a DniError; nothing is written then."""
    clock = Clock(job.progress)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with _threads(job.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a network's own code
        with clock("read endpoints"):
            checkpoints, notes = read_endpoints(job.endpoints)
            starts, _ = read_endpoints([] if job.start is None else [job.start], first_number=3)
        with clock("build networks"):
            opened = open_networks(job, checkpoints, device)
            recipe = recipe or opened.recipe
            start = opened.point(job, checkpoints[0], starts[0]) if starts else None
        with clock("look at what is there"):
            fit, judge = _prepare(job, opened, recipe, photographs, degradations)
            before = judge.outcome(opened.put_before)
        _refuse_good(job, checkpoints, before)
        made_of = _made_of(job, [*checkpoints, *starts], photographs, degradations, recipe)
        if job.resume:
            fit.restore(read_state(job.state, made_of, tuple(fit.best.shape)))
        else:
            fit.begin(before.each, start)
        stopped = _learn(fit, job, made_of)
        if fit.course.best.step == 0:
            raise EndpointError(
                f"nothing was gained: the best that was seen is what was there before ({before.text}); nothing is "
                "written. Give more minutes, or other photographs"
            )

        def put(alpha: float) -> object:
            return opened.task.put(alpha, fit.best)

        after = judge.outcome(put)
        report = _report(job, opened, checkpoints, fit, before, after, stopped, notes, photographs)
        write(report, opened.task.states(fit.best), checkpoints)
        if job.shown is not None:
            show(job.shown, judge, opened, put)
        if report.warnings:
            fit.state(made_of).write(job.state)
        else:
            job.state.unlink(missing_ok=True)
    return report


def _report(
    job: FitJob,
    opened: Opened,
    checkpoints: Sequence[Checkpoint],
    fit: Fit,
    before: Outcome,
    after: Outcome,
    stopped: str,
    notes: Sequence[str],
    photographs: Sequence[Photograph],
) -> FitReport:
    learn, judge_by = crops.divide(photographs)
    return FitReport(
        files=tuple(job.outputs),
        kind="taught" if job.teach else job.curve,
        endpoints=(checkpoints[0].name, checkpoints[1].name),
        architecture=opened.name,
        parameters=fit.best.shape[1],
        learnt_from=tuple(photograph.name for photograph in learn),
        judged_by=tuple(photograph.name for photograph in judge_by),
        degrade=tuple(job.degrade),
        seed=job.seed,
        threads=torch.get_num_threads(),
        device=str(opened.task.network.device),
        steps=fit.course.step,
        seconds=fit.course.seconds,
        stopped=stopped,
        before=before,
        after=after,
        course=tuple(fit.course.looks),
        notes=(*notes, *opened.notes),
        warnings=tuple(_short_of(job, after)),
    )


def _prepare(
    job: FitJob,
    opened: Opened,
    recipe: Recipe,
    photographs: Sequence[Photograph],
    degradations: Sequence[Degradation],
) -> tuple[Fit, Judge]:
    """What learns, and what judges. Raises ArchitectureError where an end makes no pictures."""
    learn, judge_by = crops.divide(photographs)
    side = opened.side(recipe.side_px)
    device = opened.task.network.device

    def images(number: int) -> Tensor:
        made = crops.batch(learn, number, recipe.crops, side, opened.channels, degradations, job.seed)
        return torch.from_numpy(made).to(device).contiguous(memory_format=torch.channels_last)

    held_out = crops.held_out(
        judge_by, _HELD_OUT, opened.side(max(side, crops.SMALLEST_PX)), opened.channels, degradations, job.seed
    )
    try:
        judge = Judge(opened.task, held_out)
    except NoPictureError as reason:
        raise ArchitectureError(f"there is nothing to fit: {reason}") from None
    return Fit(Learner(opened.task, images, recipe, job.seed), judge, recipe, job.progress), judge


def _learn(fit: Fit, job: FitJob, made_of: dict[str, Any]) -> str:
    minutes = MINUTES if job.minutes is None and job.steps is None else job.minutes
    bounds = Bounds(job.steps, minutes)
    if fit.course.done(bounds) >= 1:
        raise InputError(
            f"the state {job.state} has {fit.course.step} steps and {fit.course.seconds / 60:.1f} minutes behind it "
            "already; give more of them"
        )
    with asked_to_stop() as stop:
        try:
            return fit.run(bounds, stop, job.state, made_of)
        except KeyboardInterrupt as interrupt:
            best = fit.course.best
            interrupt.add_note(
                f"stopped after {fit.course.step} steps, the best at {best.step}: at least {best.least_db:.1f} dB to "
                f"the mix; kept in {job.state}: go on with the same command and --resume"
            )
            raise


def _refuse_good(job: FitJob, checkpoints: Sequence[Checkpoint], before: Outcome) -> None:
    """Raise EndpointError where there is nothing to mend."""
    if job.anyway or job.teach or not before.blends or before.most_shift > words.SEEN_SHIFT:
        return
    a, b = (checkpoint.name for checkpoint in checkpoints)
    raise EndpointError(
        f"{a} and {b} blend on the straight line already ({before.text}): export them as they are. A curve "
        "would only come nearer to the mix of their pictures; nothing is written",
        f"To fit all the same: --anyway. It was judged on photographs with {', '.join(job.degrade)}: --degrade",
    )


def _short_of(job: FitJob, after: Outcome) -> Iterator[str]:
    """What to say where it is not as good as it gets."""
    if after.least_db >= _GOOD_DB and after.most_shift <= _GOOD_SHIFT and after.blends:
        return
    more = "" if job.teach else ", --curve cubic" * (job.curve != "cubic") + " or --teach"
    yield (
        f"it falls short of the mix: {after.text}, {after.least_db:.1f} dB at least; what may help is more time (its "
        f"state is kept in {job.state}: --resume with more minutes or steps){more}"
    )


def _made_of(
    job: FitJob,
    checkpoints: Sequence[Checkpoint],
    photographs: Sequence[Photograph],
    degradations: Sequence[Degradation],
    recipe: Recipe,
) -> dict[str, Any]:
    """What a state must agree in, as JSON gives it back."""
    digest = hashlib.sha256()
    for photograph in photographs:
        digest.update(photograph.pixels.tobytes())
    return {
        "endpoints": [checkpoint.sha256 for checkpoint in checkpoints],
        "curve": "taught" if job.teach else job.curve,
        "photographs": digest.hexdigest(),
        "degrade": as_json(degradations),
        "seed": job.seed,
        "noise": job.noise,
        "recipe": asdict(recipe),
    }


@contextlib.contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
