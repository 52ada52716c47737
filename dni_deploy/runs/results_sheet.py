"""The contact sheet of a run: `dni run --sheet`."""

import os
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from dni_deploy.frames.finished import note_beside
from dni_deploy.image_files.read_write import read_image, why, write_image
from dni_deploy.photographs.contact_sheet import balanced_columns, cell_width, contact_sheet, for_sheet
from dni_deploy.photographs.places import check_sheet_place, make_folder
from dni_deploy.photographs.planned import EnhancedFile, Planned
from dni_runtime import DniError, OutputError

_MOST_IMAGES = 200


def check_sheet(sheet: Path, planned: Sequence[Planned], *, force: bool) -> None:
    """Raise a DniError, before anything runs, where the sheet could not be made or would destroy something."""
    taken = [path for plan in planned for path in (plan.input, plan.output)]
    if os.path.realpath(sheet) in {os.path.realpath(path) for path in taken}:
        raise OutputError(f"{sheet} is an input or the output and would be overwritten; choose another --sheet")
    check_sheet_place(sheet, force=force)
    rows = [len(list(row)) + 1 for _, row in groupby(planned, attrgetter("input"))]
    if sum(rows) > _MOST_IMAGES:
        raise OutputError(
            f"a sheet would show {sum(rows)} images; expected at most {_MOST_IMAGES}: leave --sheet out, or give fewer "
            "images or alphas"
        )
    cell_width(_columns(rows))


def write_sheet(sheet: Path, results: Sequence[EnhancedFile]) -> None:
    """Write a row for each input: the input itself, then its results by alpha. Raises DniError."""
    rows = [(file, list(row)) for file, row in groupby(results, attrgetter("input"))]
    columns = _columns([len(row) + 1 for _, row in rows])
    images, labels = [], []
    try:
        for file, row in rows:
            images.append(for_sheet(read_image(file, max_megapixels=None), columns))
            labels.append(f"{file.name} (input)")
            for result in row:
                images.append(for_sheet(read_image(result.output, max_megapixels=None), columns))
                labels.append(result.strength or result.output.name)
        make_folder(sheet.parent)
        write_image(sheet, contact_sheet(images, labels, columns=columns))
        note_beside(sheet.parent, sheet, results[0].input)  # beside the photographs it is none of the next run
    except DniError:
        raise
    except Exception as error:  # of a library: the results are there all the same
        raise OutputError(f"the sheet {sheet} cannot be made ({type(error).__name__}: {why(error)})") from None


def _columns(rows: Sequence[int]) -> int:
    """A single row of many strengths is wrapped; several inputs keep a row each."""
    return max(rows) if len(rows) > 1 else balanced_columns(rows[0])
