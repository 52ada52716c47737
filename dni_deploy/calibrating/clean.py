"""Parts of clean photographs: what a network is to give, and what it is given before that is spoiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from dni_deploy.image_files.read_write import read_image
from dni_deploy.photographs.inputs import find_images
from dni_runtime import InputError

PARTS = 16
_SIDE_PIXELS, _LEAST_PIXELS = 128, 32
# Parts of one photograph lie apart: of two in a row the left ends are this share of the room apart, taken around.
_GOLDEN = 0.618034

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Part:
    """uint8 RGB (H, W, 3). given: the input while it is clean; wanted: what is to come out."""

    given: Pixels
    wanted: Pixels


def find_photographs(folder: Path) -> list[Path]:
    """The image files of `folder`, PARTS at most, spread evenly over their names. Raises InputError."""
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; expected one with clean photographs")
    files = [*find_images([folder]).files]
    return [files[number] for number in np.unique(np.linspace(0, len(files) - 1, min(PARTS, len(files))).astype(int))]


def read_parts(files: Sequence[Path], scale: Fraction) -> list[Part]:
    """About PARTS parts of the photographs in `files`, for a network of that scale. Raises InputError."""
    each = -(-PARTS // len(files))
    return [part for file in files for part in _parts(file, each, scale)]


def _parts(file: Path, count: int, scale: Fraction) -> list[Part]:
    image = _of_8_bits(read_image(file))
    # Grey in colour: noise that is the same in all three channels is harder for a network than noise that is not, and
    # one grey photograph among ten would say so of all.
    image = image[:, :, None].repeat(3, axis=2) if image.ndim == 2 else image[:, :, :3]
    # Sides of the input that give whole pixels, and of the photograph that is reduced to them.
    unit = scale.denominator
    largest = max(Fraction(1), scale)
    side = min(_SIDE_PIXELS, int(min(image.shape[:2]) / largest)) // unit * unit
    if side < _LEAST_PIXELS:
        least = int(_LEAST_PIXELS * largest)
        raise InputError(
            f"{file} has {image.shape[1]}x{image.shape[0]} pixels; expected {least}x{least} or more: take it out of "
            "the folder"
        )
    window, target = int(side * largest), int(side * scale)
    height, width = (size - window for size in image.shape[:2])
    found = []
    for number in range(count):
        top, left = round(height * (number + 0.5) / count), round(width * ((0.5 + number * _GOLDEN) % 1))
        clean = image[top : top + window, left : left + window]
        found.append(Part(_reduced(clean, side), _reduced(clean, target)))
    return found


def _of_8_bits(image: npt.NDArray[Any]) -> Pixels:
    if image.dtype == np.float32:
        image = np.rint(np.nan_to_num(image).clip(0, 1) * 255).astype(np.uint8)
    return image if image.dtype == np.uint8 else (image // 257).astype(np.uint8)


def _reduced(image: Pixels, side: int) -> Pixels:
    if len(image) == side:
        return image
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.LANCZOS))
