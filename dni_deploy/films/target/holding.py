"""What a container does not hold of a film is told before the work."""

from __future__ import annotations

import io
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from dni_deploy.extras import import_av
from dni_deploy.films.film import Film
from dni_deploy.films.source.opening import is_cover, open_film
from dni_deploy.films.target.choose import container_of
from dni_deploy.films.target.codecs import CONTAINERS
from dni_deploy.films.target.copies import DROPPABLE, add_copy, copied_streams, kind_of
from dni_runtime import InputError, OutputError

if TYPE_CHECKING:
    from av.stream import Stream


def check_streams(film: Film, output: Path, drop: Collection[str] = ()) -> None:
    """Raises OutputError that lists what `output` cannot hold of all but the pictures; InputError for a `drop`."""
    if unknown := sorted({*drop} - {*DROPPABLE}):
        raise InputError(f"{unknown[0]!r} cannot be dropped; expected one of {', '.join(DROPPABLE)}")
    with closing(open_film(film.path)) as source:
        streams = copied_streams(source, film, drop)
        refused = [stream for stream in streams if not _holds(container_of(output), stream)]
        if not refused:
            return
        fit = [suffix for suffix, each in CONTAINERS.items() if all(_holds(each, stream) for stream in streams)]
        kinds = ",".join(sorted({kind_of(stream) for stream in refused}))
        remedy = f"choose a name that ends in {' or '.join(fit)}, or leave" if fit else "leave"
        raise OutputError(
            f"{output} cannot hold all that {film.path} has beside its pictures: "
            f"{'; '.join(map(_described, refused))}; {remedy} it out by --drop {kinds}"
        )


def _holds(container: str, stream: Stream) -> bool:
    """Whether FFmpeg begins a file of that format with a copy of that stream in it."""
    if container == "matroska" and is_cover(stream):
        return True
    av = import_av()
    try:
        with av.open(io.BytesIO(), "w", format=container, metadata_errors="surrogateescape") as target:
            add_copy(target, stream)
            target.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _described(stream: Stream) -> str:
    kind = "cover" if is_cover(stream) else {"video": "second video", "unknown": "stream"}.get(stream.type, stream.type)
    words = [kind, *(f"({word})" for word in (stream.name, stream.language) if word not in (None, "und"))]
    return f"stream {stream.index}, {' '.join(words)}"
