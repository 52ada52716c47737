"""Files of films are opened here, and which of their streams is the film is decided."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from dni_deploy.extras import import_av
from dni_runtime import InputError
from dni_runtime.files.regular_file import open_file, why_no_file

if TYPE_CHECKING:
    from av import VideoStream
    from av.container import InputContainer
    from av.stream import Stream

# What FFmpeg also opens: pictures, lists of files that are elsewhere, and texts, as films of coloured letters.
_PICTURES = re.compile(r"image2|.*_pipe")
_LISTS = frozenset({"concat", "dash", "hls", "imf"})
_TEXTS = frozenset({"tty"})


def open_film(path: Path) -> InputContainer:
    """The file at `path`, opened for its packets; to be closed by whoever asked.

    Texts in it that are not UTF-8 keep their bytes, as "surrogateescape" does. Nothing is fetched from a network.
    Raises InputError for what is no film, and DniError without the extra.
    """
    av = import_av()
    check_file(path)
    try:
        container: InputContainer = av.open(
            f"file:{path}", metadata_errors="surrogateescape", options={"protocol_whitelist": "file"}
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{path} {_why_not(path, error)}") from None
    if other := _what_else(container.format.name):
        container.close()
        raise InputError(f"{path} is {other}; expected a film")
    return container


def check_file(path: Path) -> None:
    """Raise InputError where `path` is no regular file."""
    if why := why_no_file(path):
        frames = " (a folder of frames is for dni run)" if path.is_dir() else ""
        raise InputError(f"{path} {why}; expected a film{frames}")


def _why_not(path: Path, error: Exception) -> str:
    if not isinstance(error, import_av().InvalidDataError):
        return f"cannot be read as a film: {reason(error)}"
    with open_file(path) as file:
        begins_like_mp4 = file.read(8)[4:] == b"ftyp"
    if begins_like_mp4:
        return "begins as a film, but has no index that can be read, like one that was cut off; expected a whole film"
    return "is no film that FFmpeg reads; expected one, such as .mp4, .mov, .mkv or .webm"


def _what_else(format_: str) -> str | None:
    """What a file of FFmpeg's `format_` is if it is no film."""
    if _PICTURES.fullmatch(format_):
        return "a picture, which is for dni run"
    return "a list of films" if format_ in _LISTS else "a text" if format_ in _TEXTS else None


def pictures_of(container: InputContainer, path: Path) -> VideoStream:
    """The first stream of pictures that is no cover; the others' packets are left out from now on.

    Raises InputError where there is none, or nothing here decodes it.
    """
    from av.stream import Discard

    streams = [stream for stream in container.streams.video if not is_cover(stream)]
    if not streams:
        raise InputError(f"{path} has no moving pictures; expected a film")
    if streams[0].codec_context is None:
        raise InputError(f"{path} has pictures in a form that FFmpeg's libraries do not decode here")
    for stream in container.streams:
        if stream.index != streams[0].index:
            stream.discard = Discard.all
    return streams[0]


def is_cover(stream: Stream) -> bool:
    """Whether a stream of pictures is one that stands for the film, or several: attached, not shown over time."""
    from av.stream import Disposition

    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def reason(error: Exception) -> str:
    """What an error of FFmpeg says, without its number and the file's name."""
    return (getattr(error, "strerror", None) or str(error)).strip() or type(error).__name__
