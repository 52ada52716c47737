"""`dni run --compare`: beside the results of each input a picture of before and after, as soon as they are there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from dni_deploy.frames.finished import note_beside, noted_results
from dni_deploy.image_files.image_file import Tags
from dni_deploy.image_files.png.chunks import COLORS
from dni_deploy.image_files.read_write import read_image, why, write_image
from dni_deploy.image_files.reading import read_file
from dni_deploy.photographs.comparison import comparison
from dni_deploy.photographs.contact_sheet import cell_width
from dni_deploy.photographs.inputs import located
from dni_deploy.photographs.names import folded
from dni_deploy.photographs.places import check_free, check_name
from dni_deploy.photographs.planned import EnhancedFile, Planned
from dni_runtime import DniError, OutputError


class Comparisons:
    """The comparisons of a run: where they go, and the results that wait for others of their input.

    Raises OutputError where one could not be written, or would destroy something: a file of that name, unless a run
    has made it, is kept only where all results that it compares are there as well.

    folder: that of the results, see `RunJob.folder`. dry: as `RunJob`.
    """

    def __init__(self, planned: Sequence[Planned], folder: Path, *, force: bool, dry: bool = False) -> None:
        rows = {file: list(row) for file, row in groupby(planned, attrgetter("input"))}
        self._places = _places(rows)
        self._count = {file: len(row) for file, row in rows.items()}
        self._waiting: dict[Path, list[EnhancedFile]] = {}
        self._problems: list[str] = []
        self._folder, self._force, self._dry = folder, force, dry
        self._noted = noted_results(folder)
        cell_width(1 + max(self._count.values()))
        taken = {folded(path) for plan in planned for path in (plan.input, plan.output)}
        for file, place in self._places.items():
            check_name(place)
            if folded(place) in taken:
                raise OutputError(
                    f"the comparison {place} would be an input or a result, too; choose another --name, or leave "
                    "--compare out"
                )
            if not (force or self._is_ours(place) or all(os.path.lexists(plan.output) for plan in rows[file])):
                check_free([place])

    def add(self, result: EnhancedFile) -> EnhancedFile:
        """Take a result, in the order of the plan; the last one of its input comes back with a note."""
        if self._dry:
            return result
        row = self._waiting.setdefault(result.input, [])
        row.append(result)
        if len(row) < self._count[result.input]:
            return result
        del self._waiting[result.input]
        place = self._places[result.input]
        if any(each.error for each in row) or self._stays(place, row):
            return result
        try:
            write_comparison(place, row)
        except OutputError as error:
            self._problems.append(str(error))
            return result
        note_beside(self._folder, place, result.input)
        return replace(result, notes=(*result.notes, f"compared in {place}"))

    def _stays(self, place: Path, row: Sequence[EnhancedFile]) -> bool:
        """Whether what is there is of these results, and not of earlier ones; or whether it is nothing of ours."""
        if not (os.path.lexists(place) and all(each.kept for each in row)):
            return False
        may_go = self._force or self._is_ours(place)
        return not may_go or _written_ns(place) >= max(_written_ns(each.output) for each in row)

    def _is_ours(self, place: Path) -> bool:
        return located(place) in self._noted

    def finish(self) -> None:
        """Raise OutputError where one could not be made: all results are there then."""
        if self._problems:
            more = f"; it is so with {len(self._problems) - 1} more" if len(self._problems) > 1 else ""
            raise OutputError(self._problems[0] + more)


def write_comparison(place: Path, results: Sequence[EnhancedFile]) -> None:
    """A comparison of one input with what was made of it, in the input's colours. Raises OutputError."""
    labels = [results[0].input.name, *(result.strength or result.output.name for result in results)]
    try:
        before = read_file(results[0].input, max_megapixels=None, first_only=True)
        after = [partial(read_image, result.output, max_megapixels=None) for result in results]
        write_image(place, comparison(before.pictures[0], after, labels), tags=_colours(before.tags))
    except Exception as error:  # of a library, too: the results are there all the same
        text = str(error) if isinstance(error, DniError) else f"{type(error).__name__}: {why(error)}"
        raise OutputError(f"the comparison {place} cannot be made ({text})") from None


def _written_ns(file: Path) -> int:
    try:
        return os.stat(file).st_mtime_ns
    except OSError:  # a link to nothing
        return 0


def _colours(tags: Tags) -> Tags:
    """What says which colours RGB has, and nothing else; a profile of grey fits no picture in colour."""
    chunks = tuple((kind, content) for kind, content in tags.chunks if kind in COLORS)
    return Tags(icc=tags.icc if tags.icc is not None and tags.icc[16:20] == b"RGB " else None, chunks=chunks)


def _places(rows: dict[Path, list[Planned]]) -> dict[Path, Path]:
    """`photo_compare.png` of each; `photo.jpg_compare.png` where there is a photo.png as well."""
    stems = {file: row[0].output if len(row) == 1 else row[0].output.with_name(file.name) for file, row in rows.items()}
    usual = {file: stem.with_name(f"{stem.stem}_compare.png") for file, stem in stems.items()}
    count = Counter(folded(place) for place in usual.values())
    return {
        file: place if count[folded(place)] == 1 else place.with_name(f"{stems[file].name}_compare.png")
        for file, place in usual.items()
    }
