"""What a film holds beside its pictures."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .opening import is_cover, open_film, pictures_of

if TYPE_CHECKING:
    from av.stream import Stream


@dataclass(frozen=True, slots=True)
class OtherStream:
    """A stream of a film that is not enhanced.

    index:    in the file.
    kind:     "audio", "subtitle", "attachment", "data", "cover" (a picture that stands for the film), "video" (further
              moving pictures) or "unknown".
    codec:    FFmpeg's name, such as "aac"; of an attachment its MIME type. "" where there is none.
    language: as the film says it, such as "eng"; "" where it does not. `title`: likewise; an attachment's file name.
    """

    index: int
    kind: str
    codec: str
    language: str = ""
    title: str = ""


def other_streams(path: Path) -> list[OtherStream]:
    """What the film in the file `path` holds beside the stream of pictures that `look_at` tells of.

    Raises InputError for what is no film, and DniError without the extra.
    """
    path = Path(path)
    with closing(open_film(path)) as container:
        pictures = pictures_of(container, path)
        return [_other(stream) for stream in container.streams if stream.index != pictures.index]


def _other(stream: Stream) -> OtherStream:
    from av.stream import AttachmentStream

    texts = stream.metadata
    language = texts.get("language", "")
    if isinstance(stream, AttachmentStream):
        return OtherStream(stream.index, "attachment", stream.mimetype or "", language, texts.get("filename", ""))
    kind = "cover" if stream.type == "video" and is_cover(stream) else stream.type
    return OtherStream(stream.index, kind, _codec(stream), language, texts.get("title", ""))


def _codec(stream: Stream) -> str:
    context = stream.codec_context
    if context is not None:
        return context.codec.canonical_name
    return stream.name or ""
