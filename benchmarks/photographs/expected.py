"""What a picture is, by Pillow and tifffile on the file as it is: the reference that results are compared with.

Pillow keeps no more than 8 bits of most kinds; of those that hold more only what is sure is said, and the rest is None.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

# Of these the pixels are not compared: a decoder of one's own, an encoder that loses, or more bits than Pillow gives.
_LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif")
# Of 255, on average over a picture: what quality 95 may do to one of noise.
_LOST = 8.0
_MOST_PIXELS = 4_000_000
_MOST_FRAMES = 60
_KEEPS_FRAMES = ("GIF", "WEBP", "PNG", "TIFF", "AVIF")


@dataclass(frozen=True, slots=True)
class Picture:
    """`size`: upright (W, H). `bits`: of a channel. `frames`: RGBA of each, uint8 (H, W, 4), None where unsure."""

    format: str
    size: tuple[int, int]
    bits: int
    has_opacity: bool
    count: int
    frames: list[NDArray[Any]] | None


def look(file: Path) -> Picture | None:
    """None where the reference cannot read it either."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _look(file)
    except Exception:  # of a decoder on a damaged file: there is no reference then
        return None


def _look(file: Path) -> Picture:
    with Image.open(file) as image:
        bits = _bits(file, image)
        count = 1 if image.format in ("MPO", "ICNS", "ICO", "PSD") else getattr(image, "n_frames", 1)
        has_opacity = image.has_transparency_data
        sure = bits == 8 and image.format not in ("JPEG2000",) and image.mode not in ("LAB", "HSV", "F", "I")
        frames: list[NDArray[Any]] | None = [] if sure and image.width * image.height <= _MOST_PIXELS else None
        size = ImageOps.exif_transpose(image).size
        for number in range(min(count, _MOST_FRAMES) if frames is not None else 0):
            image.seek(number)
            if ImageOps.exif_transpose(image).size != size:
                frames = None  # pages of several sizes are each looked at elsewhere
                break
            frames.append(_visible(ImageOps.exif_transpose(image)))
        return Picture(str(image.format), size, bits, has_opacity, count, frames)


def _bits(file: Path, image: Image.Image) -> int:
    """Of a channel; 8 where it is less."""
    if image.format == "PNG":
        return max(8, file.read_bytes()[24])
    if image.format == "TIFF":
        return max(8, *image.tag_v2.get(258, (1,)))  # type: ignore[attr-defined]
    if image.mode.startswith(("I", "F")):
        return 32 if image.mode in ("I", "F") else 16
    return 8


def _visible(image: Image.Image) -> NDArray[Any]:
    """RGBA; hidden pixels have no colour that anybody sees."""
    if image.mode == "L" and isinstance(image.info.get("transparency"), bytes):
        image = image.copy()
        del image.info["transparency"]
    pixels = np.array(image.convert("RGBA"))
    pixels[pixels[:, :, 3] == 0] = 0
    return pixels


def differences(wanted: Picture, made: Path, said: str) -> str:
    """What is wrong with the result `made` of `wanted`, "" where it is right. `said`: what was printed with it."""
    got = look(made)
    if got is None:
        return f"{made.suffix} result that cannot be read"
    if Image.registered_extensions().get(made.suffix.lower()) not in (got.format, _SAME.get(got.format)):
        return f"a {got.format} called {made.suffix}"
    if got.size != wanted.size:
        return f"size {got.size}, expected {wanted.size}"
    if wanted.has_opacity and not got.has_opacity and not _is_opaque(wanted):
        return f"opacity is lost ({wanted.format} to {got.format})"
    if got.bits < wanted.bits:
        return f"{got.bits} bits of {wanted.bits}"
    if got.count < wanted.count and "left" not in said:
        return f"{got.count} of {wanted.count} pictures, without a word ({wanted.format} to {got.format})"
    if wanted.frames is None or got.frames is None or got.bits != wanted.bits:
        return ""
    worst = 0.0
    for before, after in zip(wanted.frames, got.frames, strict=False):
        apart = np.abs(before.astype(int) - after)
        worst = max(worst, float(apart.mean() if made.suffix.lower() in _LOSSY else apart.max()))
    return f"off by {worst:.1f} of 255 ({wanted.format})" if worst > _LOST * (made.suffix.lower() in _LOSSY) else ""


_SAME = {"MPO": "JPEG"}


def _is_opaque(picture: Picture) -> bool:
    return picture.frames is not None and all(frame[:, :, 3].min() == 255 for frame in picture.frames)
