"""Image files and folders through a model, at one alpha or several."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from dni_runtime import Alpha, Model
from dni_runtime.calibration import Auto
from dni_runtime.files.unfinished import remove_unfinished

from .choose import check_wanted
from .inputs import find_images
from .made_with import Making
from .making.overlapped import Done, Report, make_overlapped
from .making.steps import Steps
from .places import check_free, make_folder
from .planned import EnhancedFile, Planned, plan_results

Progress = Callable[[float, int, Path], None]
"""Called with (results done, in fractions while tiles are run; results in all; the input in work)."""

Make = Callable[[Sequence[Planned], Report, Done], None]
"""Makes results, in any order, and tells of each as soon as it is there."""


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

    An image that fails, in whatever way, does not stop the others: its EnhancedFile carries the error. Files are read
    and written while the network runs, with about a quarter of a GiB of images more in memory than one by one.

    Raises, before anything runs, AlphaError for an alpha that the model does not take, InputError for an
    input that is not there, OutputError for results that exist already (unless `overwrite`), share a name or can have
    none.
    """
    values = [check_wanted(model, alpha) for alpha in alphas] or [model.check_alpha(None)]
    planned = plan_results(find_images([Path(file) for file in inputs]), Path(output), values)
    if not overwrite:
        check_free(result.output for result in planned)
    steps = Steps(model, Making(tile=tile, overlap=overlap), overwrite=overwrite)
    return make_planned(planned, partial(make_overlapped, steps), progress=progress)


def make_planned(
    planned: Sequence[Planned],
    make: Make,
    *,
    there: Mapping[Planned, EnhancedFile] | None = None,
    tell: Callable[[EnhancedFile], None] | None = None,
    progress: Progress | None = None,
) -> list[EnhancedFile]:
    """Make all of `planned` that are not `there` already, and give all in the order of `planned`.

    tell: called with each of them in that order, as soon as it and all before it are there.
    """
    results = dict(there or {})
    missing = [plan for plan in planned if plan not in results]
    kept, told = len(planned) - len(missing), 0

    def report(done: float, file: Path) -> None:
        if progress is not None:
            progress(kept + done, len(planned), file)

    def advance() -> None:
        nonlocal told
        while told < len(planned) and planned[told] in results:
            told += 1
            if tell is not None:
                tell(results[planned[told - 1]])

    def done(index: int, result: EnhancedFile) -> None:
        results[missing[index]] = result
        advance()

    advance()
    if missing:
        for folder in dict.fromkeys(plan.output.parent for plan in missing):
            make_folder(folder)
        make(missing, report, done)
        remove_unfinished(plan.output for plan in planned)
    return [results[plan] for plan in planned]
