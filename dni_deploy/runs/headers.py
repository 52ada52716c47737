"""What the headers of inputs tell before the work: that a result cannot become a file of its format."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from PIL import features

from dni_deploy.image_files.alpha_mask import check_proportions
from dni_deploy.image_files.formats import check_holds, is_opaque
from dni_deploy.image_files.image_file import Writing
from dni_deploy.image_files.read_write import read_image
from dni_deploy.image_files.reading import read_header
from dni_deploy.photographs.inputs import Found
from dni_deploy.photographs.made_with import Making
from dni_deploy.photographs.planned import Planned
from dni_runtime import DniError, InputError, Metadata, OutputError

# Whether an opacity is full everywhere only its pixels tell: as many as two seconds read.
_LOOKED_AT_PIXELS = 100_000_000
_WITH_QUALITY = ("JPEG", "WEBP", "AVIF")
_NAMED = 3
_OPTIONAL = ("WEBP", "AVIF")
_TIFF = (".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class Checked:
    """What `RunJob.check` has found out.

    found:   the inputs, and what is left out.
    as_png:  those whose results become PNG, because the format that their names say does not hold them.
    remarks: lines that are worth telling.
    """

    found: Found
    as_png: Set[Path] = frozenset()
    remarks: tuple[str, ...] = ()


def find_problems(planned: Sequence[Planned], making: Making, stated: Metadata | None) -> dict[Planned, str]:
    """The results with opacity, bits or a size that their format has no place for, each with a sentence on it.

    What cannot be read, or is too large to be, fails by itself, when its turn comes. An opacity that is full everywhere
    is none; it is looked at in the first 100 million pixels, and later in what comes after these.

    stated: what the model's file says, None where it is silent.
    """
    writing = making.writing
    most_pixels = math.inf if making.max_megapixels is None else making.max_megapixels * 1e6
    problems: dict[Planned, str] = {}
    left_pixels = _LOOKED_AT_PIXELS
    for file, plans in groupby(planned, attrgetter("input")):
        results = [plan for plan in plans if _may_not_hold(file, plan.output)]
        try:
            header = read_header(file) if results else None
            if header is None or (pixels := header.size[0] * header.size[1]) > most_pixels:
                continue
            in_doubt = header.channels == 4 and any(not writing.format_at(plan.output).opacity for plan in results)
            left_pixels -= in_doubt * pixels
            opaque = not in_doubt or left_pixels < 0 or is_opaque(read_image(file, max_megapixels=None))
        except DniError:  # of a library that is missing, too
            continue
        size = making.size(stated, *header.size) or (1, 1)
        for plan in results:
            try:
                check_holds(
                    plan.output, writing.format_at(plan.output), size, dtype=header.dtype, channels=header.channels,
                    opaque=opaque,
                )  # fmt: skip
            except OutputError as error:
                problems[plan] = str(error)
    return problems


def check_fits_mask(mask: Path, files: Iterable[Path]) -> None:
    """Raise InputError where a mask of strengths is of other proportions than one of `files`.

    What cannot be read fails by itself, when its turn comes.
    """
    shape, unfit = read_header(mask).size, []
    for file in files:
        try:
            size = read_header(file).size
        except DniError:
            continue
        try:
            check_proportions(mask, shape, size)
        except InputError as error:
            unfit.append(f"{file}: {error}")
    if unfit:
        raise InputError(unfit[0] + (f"; it is so with {len(unfit) - 1} more images" if len(unfit) > 1 else ""))


def refuse(problems: Mapping[Planned, str], count: int) -> None:
    """Raise OutputError where there are `problems`, with `count` results in all."""
    if problems:
        first, *others = problems
        some = ", ".join(str(plan.output) for plan in others[:_NAMED]) + ", ..." * (len(others) > _NAMED)
        more = f"; it is so with {len(others)} more of {count} results ({some})" if others else ""
        raise OutputError(problems[first] + more)


def check_writing(planned: Sequence[Planned], writing: Writing) -> list[str]:
    """Raise OutputError for a format that Pillow does not write here, or that loses something where nothing shall be.

    Returns what is worth telling: that a quality is given to formats that have none.
    """
    formats = {writing.format_at(plan.output): plan.output for plan in planned}
    for format_, output in formats.items():
        if format_.name in _OPTIONAL and not features.check(format_.name.lower()):
            raise OutputError(
                f"{output} cannot be written: Pillow is without {format_.name} here; expected another format"
            )
        if writing.lossless and format_.always_loses:
            raise OutputError(f"{output} cannot be lossless, {format_.name} never is; expected another --format")
    if writing.quality is None or any(format_.name in _WITH_QUALITY for format_ in formats):
        return []
    names = " and ".join(sorted(format_.name for format_ in formats))
    return [f"--quality changes nothing: {names} {'loses' if len(formats) == 1 else 'lose'} nothing"]


def _may_not_hold(file: Path, output: Path) -> bool:
    """Whether the header is worth a look. PNG holds all but floating-point values, which only TIFF files have."""
    return output.suffix.lower() != ".png" or file.suffix.lower() in _TIFF
