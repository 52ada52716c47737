"""Image files, written whole or not at all: each in its format, with what that has a place for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from dni_runtime import DniError, OutputError
from dni_runtime.files.unfinished import unfinished_file

from .errors import why
from .formats import Format, check_holds, is_opaque
from .image_file import AS_USUAL, ImageFile, Writing
from .png.sixteen_bit import write_color


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
    pictures = file.pictures
    if (more := len(pictures) - 1) and not (format_.pages or (file.durations_ms and format_.animation)):
        pictures = pictures[:1]
        notes.append(f"{more} more picture{'s' * (more > 1)} left out, for {format_.name} holds one")
    return dataclasses.replace(file, pictures=pictures, notes=tuple(dict.fromkeys(notes)))


def check_writable(
    path: Path,
    size: tuple[int, ...],
    like: npt.NDArray[Any],
    writing: Writing = AS_USUAL,
) -> None:
    """Raise OutputError where an image of `size` (H, W) with channels and dtype as `like` cannot become `path`."""
    format_ = writing.format_at(path)
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
    picture = _plain(file.pictures[0], format_)
    if picture.dtype == np.uint16 and picture.ndim == 3:
        write_color(stream, picture)
    else:
        Image.fromarray(picture).save(stream, format_.name, **_options(format_, writing))


def _plain(picture: npt.NDArray[Any], format_: Format) -> npt.NDArray[Any]:
    """(H, W) for one channel, and without an opacity that the format does not hold."""
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[:, :, 0]
    if picture.ndim == 3 and picture.shape[2] == 4 and not format_.opacity:
        picture = picture[:, :, :3]
    return np.ascontiguousarray(picture)


def _options(format_: Format, writing: Writing) -> dict[str, Any]:
    """What Pillow is told. JPEG's default halves the resolution of colour, just the kind of damage that the networks
    are meant to undo (WebP cannot do without).
    """
    quality = 95 if writing.quality is None else writing.quality
    if format_.name == "JPEG":
        return {"quality": quality, "subsampling": 0}
    if format_.name == "WEBP":
        return {"lossless": True, "exact": True} if writing.lossless else {"quality": quality}
    if format_.name == "AVIF":
        return {"quality": 100 if writing.lossless else quality, "subsampling": "4:4:4"}
    return {"compression": "tiff_lzw"} if format_.name == "TIFF" else {}
