"""What a file says beside its pixels, gathered from where its format keeps it."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field, replace
from typing import IO, Any

from PIL import ImageFile, TiffImagePlugin

from dni_deploy.image_files.image_file import Tags
from dni_deploy.image_files.png.chunks import Chunks
from dni_deploy.image_files.tiff.directories import EXIF, GPS, pack_directory, read_directory

from .exif import upright

_RESOLUTION, _RESOLUTION_UNIT, _ORIENTATION, _ICC, _XMP, _GEO = 282, 296, 274, 34675, 700, (33550, 33922, 34264, 34735)
# Of a TIFF's own directory, those that EXIF has as well and that are not of how its pixels are laid out.
_DESCRIPTIONS = {270, 271, 272, 305, 306, 315, 18246, 18249, 33432, *range(40091, 40096), EXIF, GPS}
_XMP_ORIENTATION = re.compile(rb'(tiff:Orientation(?:="|>))([2-8])')
# What phones write into XMP of a picture behind the picture, which the result does not have.
_XMP_OF_MORE = re.compile(rb"hdrgm:Version|GContainer|ns.google.com/photos/1.0/(container|camera)|HDRGainMap")


@dataclass(slots=True)
class Found:
    """`tags` of an upright picture; `orientation`: how the pixels lie, 1 to 8. `notes`: what was left out."""

    tags: Tags
    orientation: int = 1
    notes: list[str] = field(default_factory=list)


def find_tags(image: ImageFile.ImageFile, chunks: Chunks | None) -> Found:
    """What a file says that is no TIFF. `chunks`: those of a PNG."""
    if chunks is not None:
        found = Found(
            Tags(chunks.icc, chunks.exif, chunks.xmp, chunks.comment, chunks.dpi, chunks=tuple(chunks.kept)),
            notes=chunks.notes,
        )
    else:
        found = _of_info(image.info)
        found.notes += _left_of_jpeg(image)
        if photoshop := [part for app, part in getattr(image, "applist", []) if app == "APP13"]:
            found.tags = replace(found.tags, app13=tuple(photoshop))
    return _turned(found)


def find_tags_of_heic(info: dict[Any, Any]) -> Found:
    """What a HEIC says, whose picture is upright already: cameras leave their orientation in EXIF."""
    found = _turned(_of_info(info))
    found.orientation = 1
    return found


def _of_info(info: dict[Any, Any]) -> Found:
    exif = info.get("exif")
    exif = exif.removeprefix(b"Exif\0\0") if exif else None
    return Found(Tags(info.get("icc_profile") or None, exif, _packet(info.get("xmp")), _comment(info), _dpi(info)))


def _packet(xmp: Any) -> bytes | None:
    return xmp.encode() if isinstance(xmp, str) else xmp or None


def _comment(info: dict[Any, Any]) -> bytes | None:
    comment = info.get("comment")
    return comment if isinstance(comment, bytes) and comment else None


def _dpi(info: dict[Any, Any]) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < 1e9 and 0 < down < 1e9 else None


def find_tags_of_tiff(tags: TiffImagePlugin.ImageFileDirectory_v2, stream: IO[bytes]) -> Found:
    """What a TIFF says whose first directory is `tags`."""
    profile, packet = tags.get(_ICC), tags.get(_XMP)
    found = Found(Tags(profile if isinstance(profile, bytes) else None, None, _packet(packet)))
    if (unit := tags.get(_RESOLUTION_UNIT, 2)) in (2, 3):  # inches and centimetres
        resolution = {"dpi": (tags.get(_RESOLUTION), tags.get(_RESOLUTION + 1))}
        dpi = _dpi(resolution)
        found.tags = replace(found.tags, dpi=dpi if unit == 2 or dpi is None else (dpi[0] * 2.54, dpi[1] * 2.54))
    orientation = tags.get(_ORIENTATION, 1)
    found.orientation = orientation if orientation in range(1, 9) else 1
    if any(tag in tags for tag in _GEO):
        found.notes.append("its place on a map (GeoTIFF) left out")
    stream.seek(0)
    start = stream.read(16)
    order, big = ("<" if start[:2] == b"II" else ">"), 43 in start[2:4]

    def read(at: int, size: int) -> bytes:
        stream.seek(at)
        return stream.read(size)

    first = struct.unpack(f"{order}Q", start[8:])[0] if big else struct.unpack(f"{order}I", start[4:8])[0]
    if directory := read_directory(read, order, first, _DESCRIPTIONS, big=big):
        header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
        found.tags = replace(found.tags, exif=header + pack_directory(directory, order, 8))
    return _turned(found)


def _turned(found: Found) -> Found:
    """The same of a picture that is upright."""
    tags = found.tags
    if tags.exif is not None:
        try:
            orientation, exif = upright(tags.exif)
        except (ValueError, struct.error):
            found.notes.append("damaged EXIF left out")
            tags = replace(tags, exif=None)
        else:
            found.orientation = orientation if found.orientation == 1 else found.orientation
            tags = replace(tags, exif=exif)
    if tags.xmp is not None:
        turned = _XMP_ORIENTATION.search(tags.xmp)
        if turned and found.orientation == 1 and tags.exif is None:
            found.orientation = int(turned[2])
        tags = replace(tags, xmp=_XMP_ORIENTATION.sub(rb"\g<1>1", tags.xmp))
        if _XMP_OF_MORE.search(tags.xmp or b""):
            found.notes.append("XMP of what a phone has put behind the picture left out")
            tags = replace(tags, xmp=None)
    found.tags = tags
    return found


def _left_of_jpeg(image: ImageFile.ImageFile) -> list[str]:
    """What a JPEG has beside its picture that goes into no result."""
    parts: list[tuple[str, bytes]] = getattr(image, "applist", [])
    notes = []
    everything = b"".join(part[:4096] for app, part in parts if app in ("APP1", "APP2"))
    has_gain_map = b"hdrgm:Version" in everything or b"urn:iso:std:iso:ts:21496" in everything
    if has_gain_map:
        notes.append("its HDR gain map left out: the result is the picture without it")
    elif any(app == "APP2" and part.startswith(b"MPF\0") for app, part in parts):
        notes.append("the further pictures that its camera put behind it (MPO) left out")
    if b"MotionPhoto" in everything or b"MicroVideo" in everything:
        notes.append("the film that a phone put behind it left out")
    if any(app == "APP1" and part.startswith(b"http://ns.adobe.com/xmp/extension/") for app, part in parts):
        notes.append("extended XMP left out")
    if any(app == "APP11" and part.startswith(b"JP") for app, part in parts):
        notes.append("content credentials (C2PA) left out: they are of the picture as it was")
    return notes
