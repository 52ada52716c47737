"""A film over a Ray cluster: its parts are made on the nodes, each from its frames to its file, and joined here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from dni_deploy.films.film import Part
from dni_deploy.films.making.make_parts import Done, MakeParts, Report, make_parts
from dni_deploy.films.making.work import Made, Work, finished
from dni_deploy.frames.cluster import import_ray_for
from dni_deploy.frames.finished import model_digest
from dni_deploy.frames.nodes import Shared, check_model, everywhere, with_workers
from dni_deploy.frames.workers import ATTEMPTS, MakePiece, make_on_workers
from dni_runtime import DniError, Model

# Parts that are joined have to come from the same encoders.
_PACKAGES = ("av",)
_REMEDY = "Parts that are finished are kept: --resume goes on"


def make_parts_on_ray(address: str, tell: Callable[[str], None]) -> MakeParts:
    """Parts over the Ray cluster at `address`, see `connected`; `tell` is told what is being done.

    Every worker holds the model and takes one part after another; the film is read and the part written where it runs,
    so that only numbers and texts travel. A worker that dies is replaced and its part made again. Model, film and the
    folder of the result have to be shared by all nodes, with the same versions of dni-deploy and PyAV: that is checked
    first.

    Raises DniError where Ray is not installed; what it returns, where the cluster cannot be used or gives up.
    """
    ray = import_ray_for(address)

    def make(work: Work, model: Model, parts: Sequence[Part], done: Done, report: Report) -> None:
        film = replace(work.film, path=work.film.path.absolute())
        sha256 = model_digest(work.job.model)
        names = [_name(work, part) for part in parts]
        frames = 0
        shared = Shared(work.job, sha256, (film.path,), work.folder, _PACKAGES)
        with with_workers(ray, address, shared, len(parts), tell) as workers:
            there = replace(work, job=everywhere(work.job, workers), film=film)
            for index, found in make_on_workers(ray, workers, _begin, (there, parts, sha256), names, _REMEDY):
                made = _made(found, names[index])
                done(made)
                report(frames := frames + made.frames)

    return make


def _begin(work: Work, parts: Sequence[Part], model_sha256: str) -> MakePiece:
    """On a worker."""
    check_model(work.job.model, model_sha256)
    model = work.job.load()

    def make(index: int) -> Any:
        part = parts[index]
        # By a worker that died before it could tell.
        found = finished(replace(work, parts=(part,)))
        try:
            if not found:
                make_parts(work, model, [part], found.append, lambda frames: None)
        except DniError as error:
            return str(error)
        return asdict(found[0])

    return make


def _made(found: Any, name: str) -> Made:
    """Raises DniError where the part was not made: the film cannot become whole, so the others are not waited for."""
    if found is None:
        raise DniError(f"the worker died {ATTEMPTS} times while it made {name} (out of memory?). {_REMEDY}")
    if isinstance(found, str):
        raise DniError(found)
    return Made(**{**found, "notes": tuple(found["notes"])})


def _name(work: Work, part: Part) -> str:
    begin, end = (work.film.seconds(pts) for pts in (part.begin, part.end))
    return f"{work.film.path} from {begin:.2f} s to {end:.2f} s"
