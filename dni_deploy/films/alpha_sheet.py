"""`dni film --alpha-sheet`: a few frames of a film at several strengths, in one picture."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dni_deploy.extras import import_av
from dni_deploy.image_files.read_write import why, write_image
from dni_deploy.photographs.choose import Wanted, check_wanted, choose_alpha
from dni_deploy.photographs.contact_sheet import cell_width, contact_sheet, for_sheet, to_picture
from dni_deploy.photographs.made_with import Making
from dni_deploy.photographs.places import check_sheet_place, make_folder
from dni_runtime import Alpha, AlphaError, DniError, InputError, Metadata, Model, OutputError
from dni_runtime.calibration import Auto
from dni_runtime.onnx_files.required import require_file

from .colours.turning import is_turn, swaps_sides, turn
from .film import Film, Video
from .glances import frames_between, pictures_at
from .making.job import FilmJob, Progress
from .moments import show_moment
from .source.probe import look_at

_ROWS = 4
_MOST_IMAGES = 200
_USUAL = 5


def usual_alphas(metadata: Metadata) -> list[float]:
    """The strengths of a sheet for which none were given. Raises AlphaError where there are no such."""
    if metadata.alpha_count > 1 and not metadata.alpha_knobs:
        raise AlphaError(f"alpha has {metadata.alpha_count} numbers; give --alpha for each column of the sheet")
    return [float(alpha) for alpha in np.linspace(*metadata.alpha_range, _USUAL).round(6)]


def make_alpha_sheet(job: FilmJob, alphas: Sequence[Alpha | Auto], progress: Progress) -> None:
    """The sheet `job.output` of `job.film`, or of a section of it, at `alphas`; of none at strengths of all kinds.

    Raises a DniError.
    """
    import_av()
    require_file(job.model)
    check_alpha_sheet(job.output, job.film, len(alphas) or _USUAL, force=job.force)
    film = look_at(job.film)
    with job.load() as model:
        wanted = [check_wanted(model, alpha) for alpha in alphas or usual_alphas(model.metadata)]
        span = {"begin_s": job.start or 0.0, "end_s": math.inf if job.end is None else job.end}
        write_alpha_sheet(job.output, film, model, job, wanted, **span, progress=progress)


def check_alpha_sheet(sheet: Path, film: Path, strengths: int, *, force: bool) -> None:
    """Raise a DniError, before anything runs, where the sheet could not be made or would destroy something."""
    if os.path.realpath(sheet) == os.path.realpath(film):
        raise OutputError(f"{sheet} is the film and would be overwritten; choose another --alpha-sheet")
    check_sheet_place(sheet, force=force)
    if (count := _ROWS * (1 + strengths)) > _MOST_IMAGES:
        raise OutputError(
            f"a sheet of {_ROWS} frames at {strengths} strengths would show {count} pictures; expected at most "
            f"{_MOST_IMAGES}: give fewer --alpha"
        )
    cell_width(1 + strengths)


def write_alpha_sheet(
    sheet: Path,
    film: Film,
    model: Model,
    making: Making,
    alphas: Sequence[Wanted],
    *,
    begin_s: float = 0.0,
    end_s: float = math.inf,
    progress: Progress | None = None,
) -> None:
    """Write a row for each of a few frames that are spread evenly: as it is, then at each of `alphas`.

    alphas: as `check_wanted` of the model gives them; "auto" is what fits each frame. begin_s, end_s: of which part.

    Raises a DniError.
    """
    frames = frames_between(film, begin_s, end_s)
    if not len(frames):
        until = "" if math.isinf(end_s) else f" and before {show_moment(end_s)}"
        raise InputError(
            f"{film.path} has no frames from {show_moment(begin_s)} on{until}; give another --start or --end"
        )
    columns = 1 + len(alphas)
    spread = np.unique(((np.arange(_ROWS) + 0.5) / _ROWS * len(frames)).astype(int))
    images, labels = [], []
    for number, (moment, picture) in enumerate(pictures_at(film, frames[spread].tolist())):
        images.append(for_sheet(as_shown(picture, film.video), columns))
        labels.append(show_moment(film.seconds(moment)))
        for column, wanted in enumerate(alphas):
            chosen = choose_alpha(model, wanted, film.path, picture)
            result = making.enhance(model, picture, chosen.alpha)
            images.append(for_sheet(as_shown(result, film.video), columns))
            labels.append(chosen.strength or "result")
            if progress is not None:
                progress(number * len(alphas) + column + 1, len(spread) * len(alphas), film.path)
    if not images:
        raise InputError(f"none of the frames of {film.path} that a sheet would show can be decoded")
    try:
        make_folder(sheet.parent)
        write_image(sheet, contact_sheet(images, labels, columns=columns))
    except DniError:
        raise
    except Exception as error:  # of a library
        raise OutputError(f"the sheet {sheet} cannot be made ({type(error).__name__}: {why(error)})") from None


def as_shown(picture: npt.NDArray[Any], video: Video) -> npt.NDArray[np.uint8]:
    """A frame as players show it: turned, and with the width that its pixels have. RGB of 8 bits."""
    aspect, matrix = video.aspect or Fraction(1), video.display_matrix
    if matrix is not None and is_turn(matrix):
        picture = turn(picture, matrix)
        aspect = 1 / aspect if swaps_sides(matrix) else aspect
    image = to_picture(picture)
    size = max(1, round(image.width * aspect)), image.height
    return np.array(image if image.size == size else image.resize(size))
