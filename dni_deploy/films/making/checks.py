"""What can be refused before the work, and the decisions that are left once the model is open."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from dni_deploy.films.colours.conversion import values_of
from dni_deploy.films.colours.meaning import notes as colour_notes
from dni_deploy.films.film import Film, Key, Part, Strength
from dni_deploy.films.preview import SideBySide, preview_span
from dni_deploy.films.source.opening import check_file
from dni_deploy.films.source.probe import look_at
from dni_deploy.films.strengths import Held, check_keys_place, measured, read_keys, save_keys
from dni_deploy.films.target.choose import choose_encoding
from dni_deploy.films.target.holding import check_streams
from dni_deploy.films.target.options import Asked
from dni_deploy.frames.finished import model_digest
from dni_deploy.photographs.places import check_folder, check_free, check_name
from dni_runtime import InputError, Model, OutputError, read_metadata
from dni_runtime.onnx_files.ort_format import ORT_SUFFIX
from dni_runtime.onnx_files.reading import read_model
from dni_runtime.onnx_files.required import require_file

from .cut import cut
from .job import HOLD, FilmJob, Progress, Tell
from .parts_folder import check_no_parts, film_digest, folder_of, is_ours
from .work import Work

_SMALL = 64


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known before the model is open.

    content: of the film before it was looked at, see `film_digest`.
    """

    content: str
    film: Film
    parts: tuple[Part, ...]
    notes: tuple[str, ...]


def check(job: FilmJob) -> Checked:
    """Refuse what can be refused before the model is loaded.

    Raises ModelError, AlphaError, InputError or OutputError.
    """
    require_file(job.model)
    stated = None if job.model.suffix == ORT_SUFFIX else read_metadata(read_model(job.model))
    if stated is not None and job.alpha is not None and not isinstance(job.alpha, str):
        stated.check_alpha(job.alpha)
    _check_place(job)
    if job.save_keys is not None:
        check_keys_place(job.save_keys, (job.film, job.output, job.model), force=job.force)
    content = content_of(job.film)
    film = look_at(job.film)
    section = (job.start, job.end) if job.preview is None else preview_span(film, job.preview, job.start)
    parts = cut(film, *section)
    lost = check_streams(film, job.output, job.drop)
    width, height = (side + side % 2 for side in (film.video.width, film.video.height))
    choose_encoding(film, job.output, _asked(job), (width, height))  # again, when the result's size is known
    return Checked(content, film, parts, (*named(job.film, film.notes), *named(job.output, lost)))


def named(path: Path, notes: Iterable[str]) -> list[str]:
    """Notes that say what they are about."""
    return [f"{path.name}: {note}" for note in notes]


def decide(
    job: FilmJob, checked: Checked, model: Model, tell: Tell, progress: Progress
) -> tuple[Work, tuple[str, ...]]:
    """The work, and what is to be known of it. Refuses all that is left to be refused.

    Raises AlphaError, InputError or OutputError.
    """
    film = checked.film
    stated = _stated_strength(job, film, model)
    size = _size(job, film, model, None if stated is None else stated.at(0.0))
    if job.preview is not None:
        size = SideBySide(film.video.display_matrix).size(*size)
    encoding = choose_encoding(film, job.output, _asked(job), size[::-1])
    strength = stated or _measured_strength(job, checked, model, tell, progress)  # which takes a while: last
    values = values_of(film.video, lossless=job.lossless and job.preview is None)
    work = Work(job, film, checked.parts, values, encoding, strength, folder_of(job.output))
    tiling = model.plan(film.video.height, film.video.width, tile=job.tile, overlap=job.overlap).note
    of_result = encoding.notes if tiling is None else (*encoding.notes, tiling)
    return work, (*checked.notes, *named(job.film, colour_notes(film.video)), *named(job.output, of_result))


def _asked(job: FilmJob) -> Asked:
    return Asked(job.codec, job.crf, job.preset, job.lossless, job.pixel_format)


def facts_of(work: Work, content: str) -> dict[str, Any]:
    """What the frames of the result depend on, by the words for it in messages. content: `Checked.content`.

    Raises ModelError.
    """
    job = work.job
    given = {**job.given(), **job.provider_options}
    return {
        "film": content,
        "model": model_digest(job.model),
        "alpha": repr(work.strength),
        "--start, --end or --preview": [work.parts[0].begin, work.parts[-1].end, job.preview],
        "kind of file or way of encoding": repr(work.encoding),
        "way through the network (--tile, --overlap, --output-scale, --provider-option)": repr(sorted(given.items())),
        "version of dni-deploy or PyAV": [version("dni-deploy"), version("av")],
    }


def content_of(film: Path) -> str:
    """See `film_digest`. Raises InputError where it cannot be read."""
    try:
        return film_digest(film)
    except OSError as error:
        check_file(film)
        raise InputError(f"{film} cannot be read: {error.strerror or error}; expected a film") from None


def _stated_strength(job: FilmJob, film: Film, model: Model) -> Strength | None:
    """How strong the effect is when, None where it is to be measured. Raises InputError or AlphaError."""
    if job.alpha_from is not None:
        return read_keys(job.alpha_from, model, film, held=job.between == HOLD)
    return None if isinstance(job.alpha, str) else Held(model.check_alpha(job.alpha))


def _measured_strength(job: FilmJob, checked: Checked, model: Model, tell: Tell, progress: Progress) -> Strength:
    """How strong the effect is when, by the film's noise. Raises InputError, AlphaError or OutputError."""
    film, parts = checked.film, checked.parts
    begin_s, end_s = film.seconds(parts[0].begin), film.seconds(parts[-1].end)
    curve = measured(film, model, begin_s, end_s, tell=tell, progress=progress)
    if job.save_keys is not None:
        save_keys(job.save_keys, curve, model.metadata, force=job.force)
    return curve


def _size(job: FilmJob, film: Film, model: Model, alpha: Key | None) -> tuple[int, int]:
    """Height and width of what the network makes of a frame, or of what `output_scale` makes of that.

    A model of another tool does not say its factor: a small picture tells, at any `alpha` that the model takes.
    """
    if job.output_scale is None and model.metadata.scale is None:
        model.enhance(np.zeros((_SMALL, _SMALL, 3), np.uint8), alpha)
    size = job.size(model.metadata, film.video.height, film.video.width)
    if size is None:
        raise InputError(f"{job.model} does not say how large its results are; give --output-scale")
    return size


def _check_place(job: FilmJob) -> None:
    """Raise OutputError where the result could not get its name."""
    check_name(job.output)
    if os.path.exists(job.output) and os.path.exists(job.film) and os.path.samefile(job.output, job.film):
        raise OutputError(f"{job.output} is the film itself and would be overwritten; choose another output")
    if not (job.force or (job.resume and is_ours(folder_of(job.output), job.output))):
        nothing_left = job.resume and not folder_of(job.output).exists()
        check_free([job.output], ", with no parts left to go on with" if nothing_left else "")
    check_folder(job.output.absolute().parent)
    if not (job.force or job.resume):
        check_no_parts(job.output)
