"""HEIC files, as phones write them, by pillow-heif, which is libheif."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dni_deploy.extras import import_pillow_heif
from dni_runtime import InputError

from .pictures import Pictures, check_size
from .values import divide_by_opacity, spread

_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
_CHANNELS = {"L": 1, "I": 1, "LA": 4, "La": 4, "RGB": 3, "RGBA": 4, "RGBa": 4}  # of 8 bits; "RGB;10" is one of 10


def is_heic(stream: Any) -> bool:
    """Whether a file is HEIC by the brands that it names first."""
    stream.seek(0)
    start = stream.read(4 + 4 + 256)
    length = min(int.from_bytes(start[:4], "big"), len(start))
    brands = [start[8:12], *(start[at : at + 4] for at in range(16, length - 3, 4))]
    return start[4:8] == b"ftyp" and any(brand in _BRANDS for brand in brands) and b"avif" not in brands


def open_heic(stream: Any) -> Any:
    """The picture that is the file's first, not decoded yet, with `info`. Raises DniError without pillow-heif."""
    heif = import_pillow_heif()
    stream.seek(0)
    content = io.BytesIO(stream.read())
    return heif.open_heif(content, convert_hdr_to_8bit=False, hdr_to_16bit=False)


def read_heic(path: Path, opened: Any, limit: int | None) -> Pictures:
    """The picture of `open_heic`, upright, which libheif sees to, whatever EXIF says."""
    width, height = opened.size
    check_size(path, width * height, limit)
    info, notes = opened.info, []
    if (kind := opened.mode.partition(";")[0]) not in _CHANNELS:
        raise InputError(f"{path} is a HEIC with pixels of kind {opened.mode}; save it as PNG")
    pixels: npt.NDArray[Any] = np.array(opened)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        pixels = pixels[:, :, [0, 0, 0, 1]]
    if pixels.dtype == np.uint16:
        pixels = spread(pixels, int(info.get("bit_depth", 16)))
    if kind in ("RGBa", "La"):
        divide_by_opacity(pixels)
    if any("gainmap" in str(part).lower() for part in info.get("aux", {})):
        notes.append("its HDR gain map left out: the result is the picture without it")
    if info.get("depth_images"):
        notes.append("its map of depths left out")
    if (more := len(opened) - 1) > 0:
        notes.append(f"{more} more picture{'s' * (more > 1)} left out")
    return Pictures([pixels], notes=notes)


def heic_channels(opened: Any) -> tuple[npt.DTypeLike, int]:
    """Dtype and channels of the picture as it is read."""
    return np.uint16 if int(opened.info.get("bit_depth", 8)) > 8 else np.uint8, _CHANNELS.get(
        opened.mode.partition(";")[0], 3
    )
