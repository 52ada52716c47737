"""Image files and folders through a model, at one alpha or several."""

from __future__ import annotations

import functools
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy.typing as npt

from dni_deploy.image_files.read_write import check_writable, read_image, why, write_image
from dni_runtime import Alpha, DniError, Model, format_alpha
from dni_runtime.calibration import Auto

from .choose import Chosen, Wanted, check_wanted, choose_alpha
from .places import check_free, find_images, label_alphas, make_folder, place_results

Progress = Callable[[float, int, Path], None]
"""Called with (results done, in fractions while tiles are run; results in all; the input in work)."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A result to be made. `alpha`: as the model uses it, None where it has none; or "auto"."""

    input: Path
    output: Path
    alpha: Wanted

    def result(
        self, seconds: float = 0.0, error: str | None = None, *, chosen: Chosen | None = None, kept: bool = False
    ) -> EnhancedFile:
        """What came of it."""
        found = chosen or Chosen(self.alpha if isinstance(self.alpha, tuple) else None)
        return EnhancedFile(self.input, self.output, found.alpha, seconds, error, kept, found.level)


@dataclass(frozen=True, slots=True)
class EnhancedFile:
    """One result.

    input:    the image file that it was made of.
    output:   where it is.
    alpha:    as the model used it, None where the model has none, and where "auto" found none or did in an earlier run.
    seconds:  in the network, padding and tiling; without reading and writing the files.
    error:    None where `output` was written, else why it was not.
    kept:     `output` was there already, finished by an earlier run of the same job.
    level:    what "auto" chose alpha by, such as ("noise", 24.8) or ("jpeg", 40); None for an alpha that was given.
    """

    input: Path
    output: Path
    alpha: tuple[float, ...] | None
    seconds: float
    error: str | None = None
    kept: bool = False
    level: tuple[str, float] | None = None

    @property
    def strength(self) -> str:
        """What it was made with, in words; "" where there is nothing to say."""
        found = "" if self.level is None else f" ({self.level[0]} {self.level[1]:.3g})"
        return "" if self.alpha is None else f"alpha {format_alpha(self.alpha)}{found}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "input": str(self.input), "output": str(self.output)}


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
    planned = plan_results([Path(file) for file in inputs], Path(output), values)
    return enhance_planned(model, planned, tile=tile, overlap=overlap, overwrite=overwrite, progress=progress)


def plan_results(inputs: Sequence[Path], output: Path, alphas: Sequence[Wanted]) -> list[Planned]:
    """What `enhance_files` makes at `alphas`, an input's results one after another.

    Raises InputError and OutputError as it does; that results exist is left to whoever makes them.
    """
    files = find_images(inputs)
    targets = place_results(files, output, label_alphas(alphas))
    return [
        Planned(file, target, alpha)
        for file, row in zip(files, targets, strict=True)
        for target, alpha in zip(row, alphas, strict=True)
    ]


def enhance_planned(
    model: Model,
    planned: Sequence[Planned],
    *,
    tile: int | None = None,
    overlap: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[EnhancedFile]:
    """Make what `plan_results` planned. Raises OutputError for results that exist already, unless `overwrite`."""
    if not overwrite:
        check_free(result.output for result in planned)
    make_folder(planned[0].output.parent)

    results: list[EnhancedFile] = []
    for file, plans in groupby(planned, attrgetter("input")):
        read = functools.cache(functools.partial(read_image, file))
        for plan in plans:

            def report(tiles: int, of: int, done: int = len(results), file: Path = file) -> None:
                if progress is not None:
                    progress(done + tiles / of, len(planned), file)

            results.append(enhance_file(model, plan, read, tile=tile, overlap=overlap, progress=report))
            report(1, 1)
    return results


def enhance_file(
    model: Model,
    planned: Planned,
    read: Callable[[], npt.NDArray[Any]],
    *,
    tile: int | None = None,
    overlap: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    before_naming: Callable[[Path], None] | None = None,
) -> EnhancedFile:
    """Make one result. Whatever goes wrong with it is told by what is returned, never raised.

    `read`: gives the image of `planned.input`. `before_naming`: see `write_image`.
    """
    seconds, problem, chosen = 0.0, None, None
    try:
        image = read()
        if (scale := model.metadata.scale) is not None:  # else enhance says so
            check_writable(planned.output, tuple(math.ceil(side * scale) for side in image.shape[:2]), image)
        chosen = choose_alpha(model, planned.alpha, planned.input, image)
        start = time.perf_counter()
        result = model.enhance(image, chosen.alpha, tile=tile, overlap=overlap, progress=progress)
        seconds = time.perf_counter() - start
        write_image(planned.output, result, before_naming=before_naming)
    except DniError as error:
        problem = str(error)
    except Exception as error:  # an error of a library, on one image: no reason to give up all others
        problem = f"failed ({type(error).__name__}: {why(error)})"
    return planned.result(seconds, problem, chosen=chosen)
