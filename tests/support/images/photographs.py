"""Photographs for a test: a piece of the bundled one, and any image as a file."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dni_deploy.demo import PHOTOGRAPH_NOISY
from dni_deploy.image_files.read_write import read_image, write_image


def noisy_crop(height: int = 60, width: int = 80) -> NDArray[np.uint8]:
    """A piece of the bundled noisy photograph, (H, W, 3)."""
    return read_image(PHOTOGRAPH_NOISY)[100 : 100 + height, 150 : 150 + width]


def save_image(path: Path, image: NDArray[Any]) -> Path:
    """`image` in a file, and the folders around it if they are missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, image)
    return path
