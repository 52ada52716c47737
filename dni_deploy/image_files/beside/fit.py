"""What a file says beside its pixels, made to fit another format; and what does not fit, in words."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy.typing as npt

from dni_deploy.image_files.formats import Format
from dni_deploy.image_files.image_file import Tags

_WORDS = {
    "icc": "colour profile",
    "exif": "EXIF",
    "xmp": "XMP",
    "comment": "comment",
    "dpi": "dpi",
    "app13": "IPTC",
    "chunks": "text",
}
# What one segment of a JPEG takes; a profile may have 255 of them.
_MOST_JPEG_BYTES = {"exif": 65_527, "xmp": 65_504, "comment": 65_533, "icc": 255 * 65_519}
_USUAL_DPI = ((72, 72), (96, 96))
_TEXT = (b"tEXt", b"zTXt", b"iTXt")


def fit_tags(tags: Tags, format_: Format, picture: npt.NDArray[Any]) -> tuple[Tags, list[str]]:
    """Tags of which files of the format can hold all, of a `picture` (H, W[, C]); and what was left out."""
    left: dict[str, Any] = {}
    for each in fields(Tags):
        value = getattr(tags, each.name)
        too_long = format_.name == "JPEG" and value and len(value) > _MOST_JPEG_BYTES.get(each.name, 2**31)
        if value and (each.name not in format_.beside or too_long):
            left[each.name] = value
    notes = []
    if names := [_WORDS[name] for name, value in left.items() if _is_told(name, value, tags)]:
        notes.append(f"{' and '.join(names)} left out, for which {format_.name} has no place")
    if "chunks" in left and _has_other_colors(tags):
        notes.append(f"what its gAMA, cHRM or cICP say of colours left out, for which {format_.name} has no place")
    if tags.icc is not None and "icc" not in left and (wrong := _space_of_another(tags.icc, format_, picture)):
        left["icc"] = tags.icc
        notes.append(f"colour profile left out, which is one for {wrong}")
    empty = Tags()
    return replace(tags, **{name: getattr(empty, name) for name in left}), notes


def _is_told(name: str, value: Any, tags: Tags) -> bool:
    if name == "dpi":
        return value not in _USUAL_DPI and tags.exif is None
    if name == "chunks":
        return any(kind in _TEXT and not content.startswith(b"Comment\0") for kind, content in value)
    return True


def _has_other_colors(tags: Tags) -> bool:
    """Whether PNG chunks say of colours what is not said by a profile, and is other than sRGB."""
    chunks = dict(tags.chunks)
    if (cicp := chunks.get(b"cICP")) is not None:
        return cicp[:2] != b"\x01\x0d"
    gamma = int.from_bytes(chunks.get(b"gAMA", b"\0\0\xb1\x8f"), "big")
    return tags.icc is None and b"sRGB" not in chunks and abs(gamma - 45455) > 500


def _space_of_another(icc: bytes, format_: Format, picture: npt.NDArray[Any]) -> str:
    """The colours that a profile is for, where the picture has others; "" where they fit.

    A profile for RGB on a grey picture, which many files have, does no harm.
    """
    is_grey = picture.ndim == 2 or picture.shape[2] == 1
    space = icc[16:20]
    if space == b"GRAY" and (not is_grey or format_.name == "WEBP"):
        return "grey"
    return {b"CMYK": "CMYK", b"Lab ": "Lab"}.get(space, "")
