"""A grey picture as the strength for each region of an image: black is the low end of alpha's range, white the high.

A mask of another size than the image is resized to it, so that one painted on a preview fits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from dni_runtime import AlphaError, InputError, Metadata

from .read_write import read_image

# Masks are counted in this, of 8 bits too: then resizing, which rounds, leaves constant parts constant.
_WHITE = 65535


def check_mask(path: Path, stated: Metadata | None) -> None:
    """Refuse a mask that is none, or for a model that takes none, before anything is loaded.

    `stated`: what the model's file says, None where it says nothing. Raises InputError and AlphaError.
    """
    if stated is not None and stated.alpha_count > 1:
        raise AlphaError(
            f"the model takes {stated.alpha_count} numbers as alpha; expected a model of one for --alpha-mask {path}, "
            "or numbers (--alpha)"
        )
    if stated is not None and stated.alpha_pinned is not None:
        raise AlphaError(
            f"the model is baked for one alpha, so {path} has nothing to say; expected one that takes any "
            "(dni-export A B --alpha-input)"
        )
    _read(path)


def alpha_map(path: Path, size: tuple[int, int], alpha_range: tuple[float, float]) -> npt.NDArray[np.float32]:
    """The mask for an image of `size`, height and width, as `Model.enhance` takes it: an alpha for each pixel.

    Raises InputError for a mask that is no grey picture, or of other proportions than the image.
    """
    mask = _read(path)
    if mask.shape != size:
        mask = _resize(path, mask, size)
    low, high = alpha_range
    of_grey = (low + (high - low) * (np.arange(_WHITE + 1) / _WHITE)).astype(np.float32)
    return of_grey[mask]


def _read(path: Path) -> npt.NDArray[np.uint16]:
    """(H, W), whatever the depth."""
    image = read_image(path)
    white = 1.0 if image.dtype == np.float32 else float(np.iinfo(image.dtype).max)
    if image.dtype == np.float32 and not np.isfinite(image).all():
        raise InputError(f"{path} holds NaN or infinite values; expected finite numbers, 0 black and 1 white")
    planes: npt.NDArray[Any] = image if image.ndim == 3 else image[:, :, None]
    grey, colors, opacity = planes[:, :, 0], planes[:, :, 1:3], planes[:, :, 3:]
    if opacity.size and opacity.min() < white:
        raise InputError(f"{path} is transparent in places, which is no strength; expected an opaque grey picture")
    if not all(np.array_equal(colors[:, :, index], grey) for index in range(colors.shape[2])):
        raise InputError(f"{path} has colours; expected a grey picture: black the low end of alpha, white the high end")
    if grey.dtype == np.uint8:
        return grey * np.uint16(_WHITE // 255)
    return grey if grey.dtype == np.uint16 else _rounded(grey * np.float32(_WHITE))


def check_proportions(path: Path, shape: tuple[int, int], size: tuple[int, int]) -> None:
    """Raise InputError where a mask of `shape` does not fit an image of `size`, both height and width."""
    (height, width), (rows, columns) = size, shape
    if abs(rows * width - columns * height) > max(height, width, rows, columns):  # a pixel, by which previews round
        raise InputError(
            f"{path} has {rows}x{columns} pixels, the image {height}x{width}; expected the same proportions"
        )


def _resize(path: Path, mask: npt.NDArray[np.uint16], size: tuple[int, int]) -> npt.NDArray[np.uint16]:
    """Linear in between; where the mask is larger the mean of the pixels that become one."""
    height, width = size
    check_proportions(path, mask.shape, size)
    resized = Image.fromarray(mask.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    return _rounded(np.asarray(resized))


def _rounded(mask: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    return np.rint(np.clip(mask, 0, _WHITE)).astype(np.uint16)
