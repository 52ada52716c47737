"""Image files, written whole or not at all: each in its format, with what that has a place for."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from dni_runtime import DniError, OutputError
from dni_runtime.files.unfinished import unfinished_file

from .beside.exif import with_size, without_orientation
from .beside.fit import fit_tags
from .errors import why
from .formats import Format, check_holds, is_opaque
from .image_file import AS_USUAL, ImageFile, Tags, Writing
from .png.insert import Inserting
from .png.write import write_png
from .tiff.write import write_tiff


def fit_to(
    file: ImageFile,
    path: Path,
    writing: Writing = AS_USUAL,
    *,
    size: tuple[int, int] | None = None,
) -> ImageFile:
    """`file` without what the format of `path` has no place for, which its notes say: pictures, tags.

    `size`: (H, W) of what the first picture is going to be, where that is known. To be asked before the work: raises
    OutputError where it cannot be written at all, because of its opacity, bits or size.
    """
    format_ = writing.format_at(path)
    first = file.pictures[0]
    check_writable(path, size or first.shape[:2], first, writing)
    notes = list(file.notes)
    pictures, durations = file.pictures, file.durations_ms
    if (more := len(pictures) - 1) and not (format_.pages or (durations and format_.animation)):
        pictures = pictures[:1]
        what = "pictures of an animation only" if format_.animation else "one"
        notes.append(f"{more} more picture{'s' * (more > 1)} left out, for {format_.name} holds {what}")
    elif durations and not format_.animation:
        notes.append(f"how long each picture is shown left out, for which {format_.name} has no place")
    durations = durations if format_.animation and len(pictures) > 1 else ()
    tags = Tags()
    if not writing.strip:
        tags, left = fit_tags(file.tags, format_, first)
        notes += left
    return dataclasses.replace(
        file, pictures=pictures, durations_ms=durations, tags=tags, notes=tuple(dict.fromkeys(notes))
    )


def check_writable(
    path: Path,
    size: tuple[int, ...],
    like: npt.NDArray[Any],
    writing: Writing = AS_USUAL,
) -> None:
    """Raise OutputError where an image of `size` (H, W) with channels and dtype as `like` cannot become `path`."""
    format_ = writing.format_at(path)
    if writing.lossless and format_.always_loses:
        raise OutputError(f"{path} cannot be written without a loss: {format_.name} always has one; write .png")
    channels = like.shape[2] if like.ndim == 3 else 1
    opaque = channels == 4 and not format_.opacity and is_opaque(like)
    check_holds(path, format_, size, dtype=like.dtype, channels=channels, opaque=opaque)


def write_file(
    path: Path,
    file: ImageFile,
    writing: Writing = AS_USUAL,
    *,
    replace: bool = True,
    before_naming: Callable[[Path], None] | None = None,
) -> None:
    """Write what `fit_to` has fitted to `path`, with other pictures maybe. As `write_image` does."""
    format_ = writing.format_at(path)
    for picture in file.pictures:
        check_writable(path, picture.shape[:2], picture, writing)
    try:
        with unfinished_file(path, replace=replace) as stream:
            encode(stream, file, format_, writing)
            stream.flush()
            if before_naming is not None:
                before_naming(Path(stream.name))
    except DniError:
        raise
    except Exception as error:  # an encoder's, too
        raise OutputError(f"{path} cannot be written ({why(error)})") from None


def encode(stream: BinaryIO, file: ImageFile, format_: Format, writing: Writing = AS_USUAL) -> None:
    """Write `file` into a stream that may seek, such as io.BytesIO."""
    pictures = [_plain(picture, format_) for picture in file.pictures]
    tags = Tags() if writing.strip else file.tags
    if tags.exif is not None and file.size != pictures[0].shape[:2]:
        tags = dataclasses.replace(tags, exif=with_size(tags.exif, *pictures[0].shape[:2]))
    if format_.name == "TIFF":
        write_tiff(stream, pictures, tags)
    elif format_.name == "PNG" and (len(pictures) > 1 or (pictures[0].dtype == np.uint16 and pictures[0].ndim == 3)):
        write_png(Inserting(stream, tags), pictures, file.durations_ms, file.loop)
    else:
        options = _encoding(format_, writing) | _beside(format_, tags) | _timing(pictures, file)
        target: Any = Inserting(stream, tags) if format_.name == "PNG" else stream
        Image.fromarray(pictures[0]).save(target, format_.name, **options)


def _plain(picture: npt.NDArray[Any], format_: Format) -> npt.NDArray[Any]:
    """(H, W) for one channel, and without an opacity that the format does not hold."""
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[:, :, 0]
    if picture.ndim == 3 and picture.shape[2] == 4 and not format_.opacity:
        picture = picture[:, :, :3]
    return np.ascontiguousarray(picture)


def _encoding(format_: Format, writing: Writing) -> dict[str, Any]:
    """What Pillow is told of losses. JPEG's default halves the resolution of colour, just the kind of damage that the
    networks are meant to undo (WebP cannot do without).
    """
    quality = 95 if writing.quality is None else writing.quality
    if format_.name == "JPEG":
        return {"quality": quality, "subsampling": 0}
    if format_.name == "WEBP":
        return {"lossless": True, "exact": True} if writing.lossless else {"quality": quality}
    if format_.name == "AVIF":
        return {"quality": quality, "subsampling": "4:4:4"}
    return {}


def _beside(format_: Format, tags: Tags) -> dict[str, Any]:
    """What Pillow is told to write beside the pixels, where it does that."""
    if format_.name == "PNG":
        return {}
    given: dict[str, Any] = {"icc_profile": tags.icc, "xmp": tags.xmp, "comment": tags.comment, "dpi": tags.dpi}
    if tags.exif is not None:  # Pillow would write it anew for AVIF, with maker's notes that point anywhere
        given["exif"] = b"Exif\0\0" + (without_orientation(tags.exif) if format_.name == "AVIF" else tags.exif)
    given["extra"] = b"".join(b"\xff\xed" + struct.pack(">H", len(part) + 2) + part for part in tags.app13) or None
    return {name: value for name, value in given.items() if value is not None}


def _timing(pictures: list[npt.NDArray[Any]], file: ImageFile) -> dict[str, Any]:
    """What Pillow is told of further pictures."""
    if len(pictures) == 1:
        return {}
    return {
        "save_all": True,
        "append_images": [Image.fromarray(picture) for picture in pictures[1:]],
        "duration": [round(duration) for duration in file.durations_ms],
        "loop": file.loop,
    }
