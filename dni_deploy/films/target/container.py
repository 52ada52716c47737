"""The file that a film is written into."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dni_deploy.extras import import_av
from dni_runtime import OutputError

if TYPE_CHECKING:
    from av.container import OutputContainer

CONTAINERS = {".mkv": "matroska", ".mov": "mov", ".mp4": "mp4", ".webm": "webm"}
"""FFmpeg's name of a format, by the suffix of a film."""

_BITEXACT = 0x400  # FFmpeg's AVFMT_FLAG_BITEXACT: nothing random and no clock, so that equal films are equal bytes


def container_of(output: Path) -> str:
    """FFmpeg's name of the format that `output` is written in. Raises OutputError."""
    if (container := CONTAINERS.get(output.suffix.lower())) is None:
        raise OutputError(f"{output} has none of the suffixes of films that are written: {', '.join(CONTAINERS)}")
    return container


def open_target(output: str | BinaryIO, container: str, tags: Mapping[str, str]) -> OutputContainer:
    """A new file of the format `container`, that can hold `tags`; what is said in it need not be text."""
    options = {}
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
