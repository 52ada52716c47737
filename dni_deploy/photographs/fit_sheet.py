"""The contact sheet of a fit: what blends make of held-out crops, before and after, beside the ends and their mix."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dni_deploy.image_files.read_write import write_image

from .contact_sheet import contact_sheet
from .places import check_sheet_place, make_folder

_MAX_WIDTH_PX = 2600


class FitSheet:
    """The rows that were shown, until they are written.

    Raises OutputError, before anything runs, where the sheet could not be written or would destroy something.
    """

    def __init__(self, path: Path, photos: Path, *, force: bool = False) -> None:
        check_sheet_place(path, force=force, photos=photos)
        self._path = path
        self._rows: list[tuple[str, Sequence[tuple[str, NDArray[np.float32]]]]] = []

    def add(self, name: str, pictures: Sequence[tuple[str, NDArray[np.float32]]]) -> None:
        """Take a row: a crop's name, and what to write below each picture, float32 (H, W, C) in 0..1."""
        self._rows.append((name, pictures))

    def write(self, title: str) -> None:
        """Write a row for each crop."""
        cells = [
            (label if number else f"{name}: {label}", picture)
            for name, pictures in self._rows
            for number, (label, picture) in enumerate(pictures)
        ]
        images = [(picture * 255).round().astype(np.uint8) for _, picture in cells]
        make_folder(self._path.parent)
        sheet = contact_sheet(
            images,
            [label for label, _ in cells],
            title=title,
            columns=len(cells) // len(self._rows),
            max_width_px=_MAX_WIDTH_PX,
        )
        write_image(self._path, sheet)
