"""What a picture is, by Pillow and tifffile on the file as it is: the reference that results are compared with.

Pillow keeps no more than 8 bits of most kinds; of those that hold more only what is sure is said, and the rest is None.
"""

import re
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
# Whatever else is in files of these kinds is another view or size of the same.
_ONE = ("MPO", "ICNS", "ICO", "CUR", "PSD", "FPX", "MIC")
_HOLDS = {"dpi": ("JPEG", "PNG", "TIFF"), "": ("JPEG", "PNG", "TIFF", "WEBP", "AVIF")}
# EXIF's description, make, model, software, time, artist and copyright; and what says how the pixels were stored.
_TOLD = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
# Which way is up: a result lies so.
_ORIENTATION = re.compile(rb"""tiff:Orientation(="[1-8]"|>[1-8]<)""")
_OF_PIXELS = (0x927C, 0xA001, 0xA002, 0xA003, 0xA005)


@dataclass(frozen=True, slots=True)
class Picture:
    """What must not be lost.

    size:   upright (W, H).
    bits:   of a channel, at least 8.
    count:  of pictures; those that only a phone or an icon adds are none, but are told.
    extras: of others.
    frames: RGBA of each picture, uint8 (H, W, 4), None where the reference is unsure.
    beside: what the file says beside its pixels, by the word that a note would name it with.
    """

    format: str
    size: tuple[int, int]
    bits: int
    has_opacity: bool
    count: int
    extras: int
    beside: dict[str, Any]
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
        count = getattr(image, "n_frames", 1) - bool(image.info.get("default_image"))
        extras = count - 1 if image.format in _ONE else 0
        beside = _beside(image)
        has_opacity = image.has_transparency_data
        sure = bits == 8 and image.format not in ("JPEG2000",) and image.mode not in ("LAB", "HSV", "F", "I")
        frames: list[NDArray[Any]] | None = [] if sure and image.width * image.height <= _MOST_PIXELS else None
        size = ImageOps.exif_transpose(image).size
        first = bool(image.info.get("default_image"))  # of an APNG; no frame of the animation
        for number in range(min(count - extras, _MOST_FRAMES) if frames is not None else 0):
            image.seek(first + number)
            if ImageOps.exif_transpose(image).size != size:
                frames = None  # pages of several sizes are each looked at elsewhere
                if image.format == "GIF":  # a frame beyond the edge enlarges all of it
                    image.seek(count - 1)
                    size = image.size
                break
            frames.append(_visible(ImageOps.exif_transpose(image)))
        return Picture(str(image.format), size, bits, has_opacity, count - extras, extras, beside, frames)


def _beside(image: Image.Image) -> dict[str, Any]:
    """What a result has to say as well; a profile of CMYK fits no RGB, and a TIFF's own tags are not EXIF."""
    found: dict[str, Any] = {}
    if (profile := image.info.get("icc_profile")) and image.mode not in ("CMYK", "LAB"):
        found["profile"] = profile
    exif = image.getexif()
    told = {tag: exif[tag] for tag in _TOLD if tag in exif} | {
        tag: value for tag, value in exif.get_ifd(0x8769).items() if tag not in _OF_PIXELS
    }
    if told:
        found["EXIF"] = {tag: str(value).rstrip("\0 ") for tag, value in told.items()}
    if packet := image.info.get("xmp") or image.info.get("XML:com.adobe.xmp"):
        text = packet if isinstance(packet, bytes) else packet.encode()
        found["XMP"] = _ORIENTATION.sub(b"", text).strip(b"\0 \n")
    if (
        image.format in ("JPEG", "PNG", "TIFF", "MPO")
        and "dpi" in image.info
        and all(1 < dpi < 1e5 for dpi in image.info["dpi"])
    ):
        found["dpi"] = tuple(round(float(dpi)) for dpi in image.info["dpi"])
    return found


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
    before, after = _changing(wanted.frames), _changing(got.frames)
    alike = before is not None and after is not None and len(before) == len(after)
    if got.count != wanted.count and not alike and "left" not in said:
        return f"{got.count} of {wanted.count} pictures, without a word ({wanted.format} to {got.format})"
    if wanted.extras and "left" not in said:
        return f"{wanted.extras} other pictures of a {wanted.format}, without a word"
    for what, value in wanted.beside.items():
        holds = got.format in _HOLDS.get(what, _HOLDS[""])
        if what.lower() not in said.lower() and holds and got.beside.get(what) != value:
            return f"{what} is {'lost' if what not in got.beside else 'not the same'} ({wanted.format} to {got.format})"
    if before is None or after is None or got.bits != wanted.bits:
        return ""
    worst = 0.0
    for old, new in zip(before, after, strict=False):
        apart = np.abs(old.astype(int) - new)
        worst = max(worst, float(apart.mean() if made.suffix.lower() in _LOSSY else apart.max()))
    return f"off by {worst:.1f} of 255 ({wanted.format})" if worst > _LOST * (made.suffix.lower() in _LOSSY) else ""


def _changing(frames: list[NDArray[Any]] | None) -> list[NDArray[Any]] | None:
    """Frames without those that are as the one before: encoders make one of them that is shown longer."""
    if frames is None:
        return None
    return [now for number, now in enumerate(frames) if not number or not np.array_equal(now, frames[number - 1])]


_SAME = {"MPO": "JPEG"}


def _is_opaque(picture: Picture) -> bool:
    return picture.frames is not None and all(frame[:, :, 3].min() == 255 for frame in picture.frames)
