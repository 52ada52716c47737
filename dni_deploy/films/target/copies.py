"""What of a film stays as it is: its sound, subtitles, other streams, chapters, and what is said about them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from dni_deploy.films.film import Film
from dni_deploy.films.source.demuxing import demuxed, in_order
from dni_deploy.films.source.opening import is_cover
from dni_deploy.films.target.span import Span

if TYPE_CHECKING:
    from av import Packet
    from av.container import InputContainer, OutputContainer
    from av.container.core import Chapter
    from av.stream import Stream

DROPPABLE = ("attachments", "audio", "data", "subtitles", "videos")
"""What can be left out, by the names of `--drop`; "videos" are those beside the one that is enhanced."""

# What FFmpeg writes of its own, and what would no longer be true.
_FILE_TAGS = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration")
_PICTURE_TAGS = ("alpha_mode", "encoder", "duration", "bps", "number_of_", "_statistics", "source_id")
_TIMECODE = re.compile(r"(\d+):(\d+):(\d+):(\d+)")
_MARGIN_S = 10  # how far apart packets of one moment may lie in a file, and how long a subtitle may last


def copied_streams(source: InputContainer, film: Film, drop: Collection[str] = ()) -> list[Stream]:
    """The streams of `source` that are to be copied, in its order."""
    return [
        stream
        for stream in source.streams
        if stream.index != film.video.stream and kind_of(stream) not in drop and not _is_made_again(source, stream)
    ]


def kind_of(stream: Stream) -> str:
    """Which of `DROPPABLE` it is; a cover is an attachment."""
    if is_cover(stream):
        return "attachments"
    kinds = {"audio": "audio", "subtitle": "subtitles", "video": "videos", "attachment": "attachments"}
    return kinds.get(stream.type, "data")


def copy_tags(source: InputContainer, film: Film, target: OutputContainer, video: Stream, span: Span) -> None:
    """What is said of the whole film and of its pictures, and its chapters."""
    target.metadata.update(_without(source.metadata, _FILE_TAGS))
    before = source.streams[film.video.stream]
    video.metadata.update(_without(before.metadata, _PICTURE_TAGS))
    for stream in source.streams:
        if stream.type == "data" and (timecode := stream.metadata.get("timecode")):
            video.metadata.setdefault("timecode", timecode)
    if span.start is not None:
        for tags in (target.metadata, video.metadata):
            _advance_timecode(tags, film, span)
    video.disposition = before.disposition
    chapters: list[Chapter] = []
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1)
        if shown := span.cut(chapter["start"] * base, chapter["end"] * base):
            start, end = (round(second / base) for second in shown)
            kept = chapter.copy()
            kept["start"], kept["end"] = start, end
            chapters.append(kept)
    target.set_chapters(chapters)


def _advance_timecode(tags: dict[str, str], film: Film, span: Span) -> None:
    """Let the timecode be that of the frame with which a section begins.

    It is left out where it cannot be counted on: of no such form, or one that drops numbers.
    """
    for name in [name for name in tags if name.lower() == "timecode"]:
        numbers, rate = _TIMECODE.fullmatch(tags.pop(name)), round(film.video.rate or 0)
        if numbers is not None and rate > 0:
            hours, minutes, seconds, frames = map(int, numbers.groups())
            begin = np.searchsorted(film.index.pts, round((span.start or 0) / film.video.time_base))
            whole, frames = divmod(((hours * 60 + minutes) * 60 + seconds) * rate + frames + int(begin), rate)
            tags[name] = f"{whole // 3600 % 24:02}:{whole // 60 % 60:02}:{whole % 60:02}:{frames:02}"


def add_copies(
    source: InputContainer, film: Film, target: OutputContainer, drop: Collection[str] = ()
) -> dict[int, Stream]:
    """Streams of `target` for what is copied; those that get packets, by the index of what they copy.

    Raises ValueError and FFmpeg's errors where the container does not hold one.
    """
    streams = copied_streams(source, film, drop)
    pictures = _covers(source, streams) if target.format.name == "matroska" else {}
    copies = {}
    for stream in streams:
        if stream.index in pictures:
            add_cover(target, stream, pictures[stream.index])
        else:
            copies[stream.index] = add_copy(target, stream)
    return {index: copy for index, copy in copies.items() if copy.type != "attachment"}


def add_copy(target: OutputContainer, stream: Stream) -> Stream:
    copy = target.add_stream_from_template(stream, opaque=True)
    copy.disposition = stream.disposition
    copy.metadata.update(stream.metadata)
    return copy


def add_cover(target: OutputContainer, stream: Stream, picture: bytes) -> None:
    """As Matroska has it: an attachment, which need not be named in the source."""
    kind = "jpeg" if stream.name == "mjpeg" else stream.name
    name, mime = stream.metadata.get("filename", f"cover.{kind}"), stream.metadata.get("mimetype", f"image/{kind}")
    target.add_attachment(name, mime, picture).metadata.update(stream.metadata)


def _covers(source: InputContainer, streams: list[Stream]) -> dict[int, bytes]:
    """The pictures of covers, by the index of their stream: the first that FFmpeg reads."""
    wanted = [stream for stream in streams if is_cover(stream)]
    found: dict[int, bytes] = {}
    for packet in demuxed(source, wanted) if wanted else ():
        found.setdefault(packet.stream_index, bytes(packet))
        if len(found) == len(wanted):
            break
    return found


def copied_packets(
    source: InputContainer, copies: Mapping[int, Stream], span: Span, lost: Counter[int]
) -> Iterator[tuple[float, Packet[Any]]]:
    """Packets for `copies` (by the index of what they copy), moved to the new clock, with when they are decoded.

    lost: counts those that are left out since their moment cannot be, by the same index.
    """
    from av.stream import Discard

    streams = [source.streams[index] for index in copies]
    if not streams:
        return
    for stream in source.streams:
        if stream.index not in copies:
            stream.discard = Discard.all  # the pictures, most of the file, are not read a second time
    if span.start is not None:
        source.seek(int((span.start - _MARGIN_S) * 1_000_000))
    last: dict[int, int] = {}
    for packet in in_order(demuxed(source, streams), lost):
        if is_cover(packet.stream) and packet.size:
            packet.pts = packet.dts = 0
        ticks = packet.dts if packet.pts is None else packet.pts
        if ticks is None:
            continue  # the last of each stream, which tells decoders that it has ended
        moment = ticks * packet.time_base
        if span.end is not None and moment > span.end + _MARGIN_S:
            return
        copy = copies[packet.stream_index]
        if not is_cover(packet.stream):
            if not _belongs(packet, moment, span):
                continue
            _move(packet, span)
        packet.dts = last[copy.index] = _decoding_time(packet, last.get(copy.index))
        packet.stream = copy
        yield float(packet.dts * packet.time_base), packet


def _decoding_time(packet: Packet[Any], last: int | None) -> int:
    """Its dts; Matroska does not say it of the first pictures of further videos, decoded ahead of their time."""
    if packet.dts is not None:
        return packet.dts
    if last is not None:
        return last + 1
    places = packet.stream.codec_context.reorder_depth if packet.stream.type == "video" else 0
    return (packet.pts or 0) - places * (packet.duration or 1)


def _belongs(packet: Packet[Any], moment: Fraction, span: Span) -> bool:
    """Whether it begins in the span. A subtitle need only be shown in it, and begins and ends with it at the latest."""
    if packet.stream.type != "subtitle" or not packet.duration:
        return span.holds(moment)
    base = packet.time_base
    if (shown := span.cut(moment, moment + packet.duration * base)) is None:
        return False
    if span.start is not None and moment < span.start:
        packet.pts = packet.dts = round(span.start / base)
    packet.duration = round((shown[1] - shown[0]) / base)
    return True


def _move(packet: Packet[Any], span: Span) -> None:
    ticks = round(span.zero / packet.time_base)
    if packet.pts is not None:
        packet.pts -= ticks
    if packet.dts is not None:
        packet.dts -= ticks


def _is_made_again(source: InputContainer, stream: Stream) -> bool:
    """A track that FFmpeg writes of what is copied otherwise: QuickTime's of time codes, and of chapters' names."""
    if stream.type != "data":
        return False
    return "timecode" in stream.metadata or (stream.name == "bin_data" and bool(source.chapters()))


def _without(tags: Mapping[str, str], beginnings: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if not name.lower().startswith(beginnings)}
