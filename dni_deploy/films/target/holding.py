"""The file that a film is written into; what it does not hold of a film is told before the work."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dni_deploy.extras import import_av
from dni_deploy.films.film import Film
from dni_deploy.films.source.opening import is_cover, open_film
from dni_deploy.films.target.copies import DROPPABLE, add_copy, copied_streams, copy_tags, kind_of
from dni_deploy.films.target.span import Span
from dni_runtime import InputError, OutputError

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream


CONTAINERS = {".mkv": "matroska", ".mov": "mov", ".mp4": "mp4", ".webm": "webm"}
"""FFmpeg's name of a format, by the suffix of a film."""

_SECOND = 1_000_000  # FFmpeg's AV_TIME_BASE
_BITEXACT = 0x400  # FFmpeg's AVFMT_FLAG_BITEXACT: nothing random and no clock, so that equal films are equal bytes


def container_of(output: Path) -> str:
    """FFmpeg's name of the format that `output` is written in. Raises OutputError."""
    if (container := CONTAINERS.get(output.suffix.lower())) is None:
        raise OutputError(f"{output} has none of the suffixes of films that are written: {', '.join(CONTAINERS)}")
    return container


def open_target(output: str | BinaryIO, container: str, tags: Mapping[str, str]) -> OutputContainer:
    """A new file of the format `container`, that can hold `tags`; what is said in it need not be text."""
    # Packets come in order: FFmpeg need not hold back ten seconds of pictures in case that a subtitle is still to come.
    options = {"max_interleave_delta": str(_SECOND)}
    if container in ("matroska", "webm"):
        # Sound that begins before the pictures stays there, instead of all else being moved.
        options["avoid_negative_ts"] = "disabled"
    else:
        # What players need stands before the rest, so that a browser plays a film while it loads; and tags of any name
        # are held where the film has such, which phones write.
        flags = "+faststart" * isinstance(output, str)
        flags += "+use_metadata_tags" * any(name.startswith("com.") for name in tags)
        options.update({"movflags": flags} if flags else {})
    target: OutputContainer = import_av().open(
        output, "w", format=container, metadata_errors="surrogateescape", container_options=options
    )
    target.flags |= _BITEXACT
    return target


def check_streams(film: Film, output: Path, drop: Collection[str] = ()) -> tuple[str, ...]:
    """What `output` cannot hold of what is said about the film, as notes: a few words that follow its name.

    Raises OutputError that lists what it cannot hold beside the pictures; InputError for a `drop` that is none.
    """
    if unknown := sorted({*drop} - {*DROPPABLE}):
        raise InputError(f"{unknown[0]!r} cannot be dropped; expected one of {', '.join(DROPPABLE)}")
    with closing(open_film(film.path)) as source:
        streams = copied_streams(source, film, drop)
        refused = [stream for stream in streams if not _holds(container_of(output), stream)]
        if not refused:
            return _lost_tags(source, film, container_of(output))
        fit = [suffix for suffix, each in CONTAINERS.items() if all(_holds(each, stream) for stream in streams)]
        kinds = ",".join(sorted({kind_of(stream) for stream in refused}))
        remedy = f"choose a name that ends in {' or '.join(fit)}, or leave" if fit else "leave"
        raise OutputError(
            f"{output} cannot hold all that {film.path} has beside its pictures: "
            f"{'; '.join(map(_described, refused))}; {remedy} it out by --drop {kinds}"
        )


def _holds(container: str, stream: Stream) -> bool:
    """Whether FFmpeg begins a file of that format with a copy of that stream in it."""
    if kind_of(stream) == "attachments":
        # Files of other kinds are begun by FFmpeg, but left without them.
        return container == "matroska" or (container == "mp4" and is_cover(stream))
    av = import_av()
    try:
        with open_target(io.BytesIO(), container, {}) as target:
            add_copy(target, stream)
            target.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _lost_tags(source: InputContainer, film: Film, container: str) -> tuple[str, ...]:
    if container in ("matroska", "webm"):  # which hold any
        return ()
    with io.BytesIO() as trial:
        with open_target(trial, container, source.metadata) as target:
            copy_tags(source, film, target, target.add_stream("mpeg4", rate=25, width=16, height=16), Span(Fraction(0)))
            target.start_encoding()
            expected = {name.lower() for name in target.metadata}
        trial.seek(0)
        with import_av().open(trial, metadata_errors="surrogateescape") as written:
            lost = sorted(expected - {name.lower() for name in written.metadata})
    return (f"has no place for what the film says as {', '.join(lost)}: .mkv has",) if lost else ()


def _described(stream: Stream) -> str:
    kind = "cover" if is_cover(stream) else {"video": "second video", "unknown": "stream"}.get(stream.type, stream.type)
    words = [kind, *(f"({word})" for word in (stream.name, stream.language) if word not in (None, "und"))]
    return f"stream {stream.index}, {' '.join(words)}"
