"""Image files and folders through a model, at one alpha or several."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from dni_deploy.image_files.read_write import read_image
from dni_runtime import Alpha, Model
from dni_runtime.calibration import Auto

from .choose import check_wanted
from .enhance_file import enhance, write
from .inputs import find_images
from .made_with import Making
from .places import check_free, make_folder
from .planned import EnhancedFile, Planned, plan_results

Progress = Callable[[float, int, Path], None]
"""Called with (results done, in fractions while tiles are run; results in all; the input in work)."""


def enhance_files(
    model: Model,
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    alphas: Sequence[Alpha | Auto] = (),
    *,
    tile: int | None = None,
    overlap: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[EnhancedFile]:
    """Enhance every image of `inputs` at every alpha; `model.enhance` tells what happens to each.

    inputs:    image files, and folders whose image files (not those of their subfolders) are taken.
    output:    a file for one result, else a folder, made where it does not exist. Results keep the names of their
               inputs; with several alphas `photo.png` becomes `photo_alpha0.30.png` and so on.
    alphas:    none for the model's default, or for a baked model; "auto" is the alpha that fits each image by its
               noise, or by the quality of its JPEG file, of a model that is calibrated for one of them.
    tile, overlap: as for `model.enhance`.
    overwrite: replace results that exist.
    progress:  called with (results done, in fractions while tiles are run; results in all; the input in work).

    An image that fails, in whatever way, does not stop the others: its EnhancedFile carries the error.

    Raises, before anything runs, AlphaError for an alpha that the model does not take, InputError for an
    input that is not there, OutputError for results that exist already (unless `overwrite`), share a name or can have
    none.
    """
    values = [check_wanted(model, alpha) for alpha in alphas] or [model.check_alpha(None)]
    planned = plan_results(find_images([Path(file) for file in inputs]), Path(output), values)
    return enhance_planned(model, planned, Making(tile=tile, overlap=overlap), overwrite=overwrite, progress=progress)


def enhance_planned(
    model: Model,
    planned: Sequence[Planned],
    making: Making,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[EnhancedFile]:
    """Make what `plan_results` planned. Raises OutputError for results that exist already, unless `overwrite`."""
    if not overwrite:
        check_free(result.output for result in planned)
    for folder in dict.fromkeys(plan.output.parent for plan in planned):
        make_folder(folder)

    results: list[EnhancedFile] = []
    for file, plans in groupby(planned, attrgetter("input")):
        read = functools.cache(functools.partial(read_image, file))
        for plan in plans:

            def report(tiles: int, of: int, done: int = len(results), file: Path = file) -> None:
                if progress is not None:
                    progress(done + tiles / of, len(planned), file)

            results.append(write(enhance(model, making, plan, read, report)))
            report(1, 1)
    return results
