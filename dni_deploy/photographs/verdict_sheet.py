"""The contact sheet of a verdict: what blends make of each photograph, beside the ends and their mix."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dni_deploy.image_files.read_write import write_image
from dni_exporters import Verdict
from dni_runtime import OutputError, format_alpha

from .contact_sheet import contact_sheet
from .places import check_sheet_place, make_folder

# Six columns of pictures of 96 pixels, as the built-in ones are, four times as large.
_MAX_WIDTH_PX = 2600

Pictures = Sequence[tuple[tuple[float, ...], NDArray[np.float32]]]


class VerdictSheet:
    """The rows that were seen, until they are written.

    Raises OutputError, before anything runs, where the sheet could not be written or would destroy something.
    """

    def __init__(self, path: Path, photos: Path | None = None, *, force: bool = False) -> None:
        check_sheet_place(path, force=force, photos=photos)
        self._path = path
        self._rows: list[tuple[str, Pictures]] = []

    def add(self, name: str, pictures: Pictures) -> None:
        """Take a row: a photograph's name, and alpha and picture, float32 (H, W, C) in 0..1, A and B first."""
        self._rows.append((name, pictures))

    def write(self, verdict: Verdict) -> None:
        """Write a row for each photograph, from A to B, and at its end what A and B are on average."""
        if not self._rows:
            raise OutputError(f"{self._path} is not written, there is nothing to show: {verdict.text}")
        shifts = {(each.photograph, each.alpha): f", shift {each.colour_shift:.1f}" for each in verdict.each}
        images, labels = [], []
        for name, pictures in self._rows:
            for alpha, picture in sorted(pictures, key=lambda pair: pair[0], reverse=True):
                images.append(_levels(picture))
                end = " (A)" if alpha == (1.0,) else " (B)" if alpha == (0.0,) else ""
                labels.append(f"{name}: {format_alpha(alpha)}{end}{shifts.get((name, alpha), '')}")
            (_, a), (_, b) = pictures[:2]
            images.append(_levels((a + b) / np.float32(2)))
            labels.append("A and B mixed, for 0.5")
        columns = len(images) // len(self._rows)
        make_folder(self._path.parent)
        write_image(
            self._path, contact_sheet(images, labels, title=verdict.text, columns=columns, max_width_px=_MAX_WIDTH_PX)
        )


def _levels(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    return (picture * 255).round().astype(np.uint8)
