"""A film from what it is asked to be to the file with its name."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from dni_deploy.extras import import_av
from dni_deploy.films.source.opening import reason
from dni_deploy.films.target.join import join
from dni_deploy.photographs.places import check_free, make_folder
from dni_runtime import InputError, Model, OutputError, load
from dni_runtime.files.unfinished import remove_unfinished, unfinished_file

from .checks import check, content_of, decide, facts_of, named
from .job import FilmJob, Progress, Tell
from .make_parts import MakeParts, make_parts
from .parts_folder import GOES_ON, is_ours, note_result, parts_folder, remove
from .report import FilmReport
from .work import Made, Work, finished


def make_film(job: FilmJob, tell: Tell, progress: Progress, make: MakeParts = make_parts) -> FilmReport:
    """Make the film; `make`: the way in which its parts are made.

    Raises a DniError where it cannot be made; parts that are finished stay, and `resume` goes on. So it is with Ctrl-C,
    a KeyboardInterrupt whose note says it.
    """
    begun = time.monotonic()
    checked = check(job)
    with _open(job) as model:
        if job.ray is None:
            tell(job.where(model))
        work, notes = decide(job, checked, model, tell, progress)
        for note in notes:
            tell(f"note: {note}")
        make_folder(job.output.absolute().parent)
        with parts_folder(job.output, facts_of(work, checked.content), resume=job.resume, overwrite=job.force):
            there = finished(work)
            try:
                made = _make(work, model, there, progress, make)
                if (found := job.measured(model)) is not None:
                    tell(found)
                lost = () if is_ours(work.folder, job.output) else _join(work, made, checked.content)
            except KeyboardInterrupt as interrupt:
                interrupt.add_note(_so_far(work))
                raise
            except OSError:
                raise
            except import_av().FFmpegError as error:
                raise OutputError(f"{job.output} cannot be made: FFmpeg says: {reason(error)}. {GOES_ON}") from None
            remove(work.folder)
    damage = named(job.film, (*(note for part in made for note in part.notes), *lost))
    for note in damage:
        tell(f"note: {note}")
    return FilmReport(
        job.output,
        frames=sum(part.frames for part in made),
        equal=sum(part.equal for part in made),
        kept=sum(part.frames for part in there),
        seconds=time.monotonic() - begun,
        notes=(*notes, *damage),
    )


def _open(job: FilmJob) -> Model:
    """On a cluster the nodes have their own: here it is opened only to check alphas and to measure sizes."""
    return job.load() if job.ray is None else load(job.model, "cpu", alpha_policy="pinned")


def _make(work: Work, model: Model, there: list[Made], progress: Progress, make: MakeParts) -> list[Made]:
    """All parts, in their order: those that are there, and those that are made now."""
    made = {part.number: part for part in there}
    missing = [part for part in work.parts if part.number not in made]
    pts = work.film.index.pts
    total = int(np.count_nonzero((pts >= work.parts[0].begin) & (pts < work.parts[-1].end)))
    kept = sum(part.frames for part in there)

    def done(part: Made) -> None:
        made[part.number] = part

    def report(frames: int) -> None:
        progress(min(kept + frames, total), total, work.film.path)

    if missing:
        make(work, model, missing, done, report)
    if not any(part.frames for part in made.values()):
        remove(work.folder)
        raise InputError(f"{work.film.path} has no frame that can be decoded; expected a film")
    return [made[part.number] for part in work.parts]


def _so_far(work: Work) -> str:
    """What to say of a run that was interrupted."""
    count = len(finished(work))
    return f"interrupted: {count} of {len(work.parts)} parts are finished{f'. {GOES_ON}' if count else ''}"


def _join(work: Work, made: list[Made], content: str) -> tuple[str, ...]:
    """The notes of `join`."""
    job, output = work.job, work.job.output
    paths = [work.path(part) for part, each in zip(work.parts, made, strict=True) if each.frames]
    first, last = work.film.index.pts[[0, -1]]
    start = work.parts[0].begin if work.parts[0].begin > first else None
    end = work.parts[-1].end if work.parts[-1].end <= last else None
    remove_unfinished([output, work.folder])
    try:
        with unfinished_file(output, replace=job.force) as file:
            lost = join(paths, work.film, work.encoding, Path(file.name), start=start, end=end, drop=job.drop)
            _check_unchanged(work, content)
            note_result(work.folder, Path(file.name))
        return lost
    except FileExistsError:
        check_free([output])
        raise


def _check_unchanged(work: Work, content: str) -> None:
    """Raise InputError, and keep no part, where the film is another one by now than when it was looked at."""
    film = work.film.path
    if content_of(film) != content:
        remove(work.folder)
        raise InputError(
            f"{film} was changed while it was read, so that its parts belong to different films; expected one that "
            "stays as it is: run it again once nothing writes to it"
        )
