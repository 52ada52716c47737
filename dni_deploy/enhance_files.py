"""Image files and folders through a model, at one alpha or several: the library behind `dni run`."""

import mimetypes
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy.typing as npt

from dni_runtime import Alpha, DniError, InputError, Model, OutputError, format_alpha

from .image_files import IMAGE_SUFFIXES, read_image, write_image

Progress = Callable[[float, int, Path], None]
"""Called with (results done, in fractions while tiles are run; results in all; the input in work)."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A result to be made. `alpha`: as the model uses it, None where it has none."""

    input: Path
    output: Path
    alpha: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class EnhancedFile:
    """One result.

    alpha:    as the model used it, None where the model has none.
    seconds:  in the network, padding and tiling; without reading and writing the files.
    error:    None where `output` was written, else why it was not.
    kept:     `output` was there already, finished by an earlier run of the same job.
    """

    input: Path
    output: Path
    alpha: tuple[float, ...] | None
    seconds: float
    error: str | None = None
    kept: bool = False


def enhance_files(
    model: Model,
    inputs: Sequence[Path],
    output: Path,
    alphas: Sequence[Alpha] = (),
    *,
    tile: int | None = None,
    overlap: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[EnhancedFile]:
    """Enhance every image of `inputs` at every alpha; `model.enhance` tells what happens to each.

    `inputs`: image files, and folders whose image files (not those of their subfolders) are taken. `output`:
    a file for one result, else a folder, made where it does not exist. Results keep the names of their
    inputs; with several alphas `photo.png` becomes `photo_alpha0.30.png` and so on. `alphas`: none for the
    model's default, or for a baked model.

    An image that fails does not stop the others: its EnhancedFile carries the error.

    Raises, before anything runs, AlphaError for an alpha that the model does not take, InputError for an
    input that is not there, OutputError for results that exist already (unless `overwrite`) or share a name.
    """
    planned = plan_results(model, inputs, output, alphas)
    existing = [result.output for result in planned if result.output.exists()]
    if existing and not overwrite:
        more = f" and {len(existing) - 1} more results exist" if len(existing) > 1 else " exists"
        raise OutputError(
            f"{existing[0]}{more} already; choose another output, or replace with --force (overwrite=True)"
        )
    make_folder(planned[0].output.parent)

    results: list[EnhancedFile] = []
    for file, plans in groupby(planned, attrgetter("input")):
        image: npt.NDArray[Any] | None = None
        for plan in plans:

            def report(tiles: int, of: int, done: int = len(results), file: Path = file) -> None:
                if progress is not None:
                    progress(done + tiles / of, len(planned), file)

            seconds, problem = 0.0, None
            try:
                image = read_image(file) if image is None else image
                start = time.perf_counter()
                result = model.enhance(image, plan.alpha, tile=tile, overlap=overlap, progress=report)
                seconds = time.perf_counter() - start
                write_image(plan.output, result)
            except DniError as error:
                problem = str(error)
            results.append(EnhancedFile(file, plan.output, plan.alpha, seconds, problem))
            report(1, 1)
    return results


def plan_results(model: Model, inputs: Sequence[Path], output: Path, alphas: Sequence[Alpha]) -> list[Planned]:
    """What `enhance_files` makes, an input's results one after another. Raises as it does."""
    values = [model.check_alpha(alpha) for alpha in alphas] or [model.check_alpha(None)]
    files = find_images(inputs)
    targets = place_results(files, output, _label_alphas(values))
    return [
        Planned(file, target, alpha)
        for file, row in zip(files, targets, strict=True)
        for target, alpha in zip(row, values, strict=True)
    ]


def place_results(files: Sequence[Path], output: Path, labels: Sequence[str] = ("",)) -> list[list[Path]]:
    """Where the results of each of `files` go, one for each of `labels`, which are parts of their names.

    Raises OutputError for an output that cannot take them, or that they would destroy.
    """
    count = len(files) * len(labels)
    if output.suffix.lower() in IMAGE_SUFFIXES and not output.is_dir():
        if count > 1:
            raise OutputError(f"{output} names one image, but there are {count} results; give a folder")
        targets = [[output]]
    elif not output.is_dir() and (mimetypes.guess_type(output.name)[0] or "").startswith("image/"):
        raise OutputError(f"{output} is of a kind that is not written; expected {', '.join(sorted(IMAGE_SUFFIXES))}")
    else:
        targets = _name_results(files, output, labels)
    sources = {file.resolve() for file in files}
    if over := next((target for row in targets for target in row if target.resolve() in sources), None):
        raise OutputError(f"{over} is an input and would be overwritten; choose another output")
    return targets


def make_folder(folder: Path) -> None:
    """Make the folder of results and those above it. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {folder} cannot be made ({error})") from None


def find_images(inputs: Sequence[Path]) -> list[Path]:
    """The files of `inputs`, folders replaced by their images, in order and without repetition."""
    files: dict[Path, None] = {}
    for path in inputs:
        if path.is_dir():
            found = [f for f in sorted(path.iterdir()) if f.suffix.lower() in IMAGE_SUFFIXES and f.is_file()]
            found = [f for f in found if not f.name.startswith(".")]
            if not found:
                raise InputError(f"{path} holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})")
            files.update(dict.fromkeys(found))
        elif path.is_file():
            files[path] = None
        else:
            raise InputError(f"{path} does not exist; expected an image file or a folder")
    if not files:
        raise InputError("no image was given; expected at least one file or folder")
    return list(files)


def _label_alphas(values: Sequence[tuple[float, ...] | None]) -> list[str]:
    """What to append to file names: nothing for one alpha, else all with the same number of decimals."""
    if len(values) == 1:
        return [""]
    texts = [format_alpha(value or ()) for value in values]
    if repeated := next((text for i, text in enumerate(texts) if text in texts[:i]), None):
        raise InputError(f"alpha {repeated} was given more than once")
    parts = [part for text in texts for part in text.split(",")]
    if any("e" in part for part in parts):
        return [f"_alpha{text.replace(',', '_')}" for text in texts]
    decimals = max(2, *(len(part.partition(".")[2]) for part in parts))
    return ["_alpha" + "_".join(f"{share:.{decimals}f}" for share in value or ()) for value in values]


def _name_results(files: Sequence[Path], folder: Path, labels: Sequence[str]) -> list[list[Path]]:
    targets: list[list[Path]] = []
    taken: dict[str, Path] = {}
    for file in files:
        suffix = file.suffix if file.suffix.lower() in IMAGE_SUFFIXES else ".png"
        targets.append([folder / f"{file.stem}{label}{suffix}" for label in labels])
        for target in targets[-1]:
            # Some file systems do not tell upper from lower case.
            other = taken.setdefault(target.name.casefold(), file)
            if other is not file:
                raise OutputError(
                    f"the results of {other} and {file} would both be {target}; give them different folders"
                )
    return targets
