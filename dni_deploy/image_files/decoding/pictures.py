"""All pictures of a file that has more than one: the frames of an animation as they are shown, the pages of a TIFF."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import ImageFile, TiffImagePlugin

from dni_deploy.image_files.formats import is_opaque
from dni_runtime import InputError

from .samples import copy_pixels, read_samples

_MOST_PICTURES = 10_000
_SUBFILE, REDUCED, MASK = 254, 1, 4


@dataclass(slots=True)
class Pictures:
    """`pixels` of each, as they lie in the file, animations of one kind; what `ImageFile` says of the others."""

    pixels: list[npt.NDArray[Any]] = field(default_factory=list)
    durations_ms: list[float] = field(default_factory=list)
    loop: int = 0
    notes: list[str] = field(default_factory=list)


def read_pictures(
    path: Path, file: IO[bytes], image: ImageFile.ImageFile, *, limit: int | None, first_only: bool
) -> Pictures:
    """The pictures of `image`, which was opened from `file`; `limit`: as many pixels as they may have in all.

    Raises InputError for more, and as `read_samples` does.
    """
    check_size(path, image.width * image.height, limit)
    key = image.info.get("transparency")
    drawn = [_extents(image)]
    found = Pictures([_shown(read_samples(path, file, image), drawn)])
    if key is not None:  # which was taken off a PNG, and the frames of an animation need it
        image.info["transparency"] = key
    is_animation = image.format != "TIFF"
    if not getattr(image, "is_animated", False):
        return found
    if first_only or (found.pixels[0].dtype != np.uint8 and is_animation):
        more = sum(1 for _ in _further(image))
        found.notes.append(f"{more} more picture{'s' * (more != 1)} left out")
        return found
    if is_animation:
        found.loop = _loop(image)
        found.durations_ms.append(_duration(image))
    pixels = image.width * image.height
    for _ in _further(image):
        if _is_of_another(image):
            found.notes.append("a smaller picture or mask of it left out")
            continue
        pixels += image.width * image.height
        check_size(path, pixels, limit, f" in {len(found.pixels) + 1} pictures or more")
        if is_animation:
            drawn.append(_extents(image))
            found.pixels.append(_shown(copy_pixels(path, image), drawn))
            found.durations_ms.append(_duration(image))
        else:
            found.pixels.append(read_samples(path, file, image))
    if is_animation:
        found.pixels = _of_one_kind(found.pixels)
        if getattr(image, "default_image", False):
            found.notes.append("the picture for programs without animations left out")
            del found.pixels[0], found.durations_ms[0]
    return found


def _is_of_another(image: ImageFile.ImageFile) -> bool:
    """Whether a page of a TIFF is another one made smaller, or its mask."""
    return isinstance(image, TiffImagePlugin.TiffImageFile) and bool(image.tag_v2.get(_SUBFILE, 0) & (REDUCED | MASK))


def check_size(path: Path, pixels: int, limit: int | None, where: str = "") -> None:
    """Raise InputError for more pixels than are allowed."""
    if limit is not None and pixels > limit:
        raise InputError(
            f"{path} has {pixels / 1e6:.3g} million pixels{where}; expected at most {limit / 1e6:.3g}: cut it into "
            "smaller images, or allow more with --max-megapixels"
        )


def _further(image: ImageFile.ImageFile) -> Iterator[None]:
    """Goes to each picture after the first. Raises ValueError for more than there could be sensibly."""
    for number in range(1, _MOST_PICTURES):
        try:
            image.seek(number)
        except EOFError:
            return
        yield
    raise ValueError(f"it has {_MOST_PICTURES} pictures or more")


def _extents(image: ImageFile.ImageFile) -> tuple[int, int, int, int]:
    """What of a frame the file has pixels for, left, top, right and bottom; before it is read."""
    if image.format == "GIF" and image.tile and (extents := image.tile[0].extents):
        return extents
    return (0, 0, image.width, image.height)


def _shown(pixels: npt.NDArray[Any], drawn: list[tuple[int, int, int, int]]) -> npt.NDArray[Any]:
    """A frame of which that is hidden where neither it nor one before has pixels, as browsers show it."""
    height, width = pixels.shape[:2]
    if any(left <= 0 and top <= 0 and right >= width and bottom >= height for left, top, right, bottom in drawn):
        return pixels
    result = _with_channels(pixels, height, width, 4)
    result = result.copy() if result is pixels else result
    hidden = np.ones((height, width), bool)
    for left, top, right, bottom in drawn:
        hidden[top:bottom, left:right] = False
    result[hidden] = 0
    return result


def _duration(image: ImageFile.ImageFile) -> float:
    return float(image.info.get("duration") or 0)


def _loop(image: ImageFile.ImageFile) -> int:
    """How often; a GIF that does not say is shown once."""
    loop = image.info.get("loop", 1 if image.format == "GIF" else 0)
    return loop if isinstance(loop, int) and 0 <= loop < 2**16 else 0


def _of_one_kind(pictures: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    """All of one size, in colours if one is, and with opacity if one hides anything: decoders add one that does not."""
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    grows = any(picture.shape[:2] != (height, width) for picture in pictures)  # as frames of a GIF may
    if not grows and all(map(is_opaque, pictures)):
        pictures = [picture[:, :, :3] if picture.ndim == 3 else picture for picture in pictures]
    channels = 4 if grows else max(1 if picture.ndim == 2 else picture.shape[2] for picture in pictures)
    return [_with_channels(picture, height, width, channels) for picture in pictures]


def _with_channels(picture: npt.NDArray[Any], height: int, width: int, channels: int) -> npt.NDArray[Any]:
    if channels == 1 or picture.shape == (height, width, channels):
        return picture
    result = np.zeros((height, width, channels), np.uint8)
    part = result[: picture.shape[0], : picture.shape[1]]
    part[:] = 255
    part[:, :, :3] = picture[:, :, :3] if picture.ndim == 3 else picture[:, :, None]
    if channels == 4 and picture.ndim == 3 and picture.shape[2] == 4:
        part[:, :, 3] = picture[:, :, 3]
    return result
