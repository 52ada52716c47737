"""Encoded parts and all else that the film holds become one file, without encoding anything again."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dni_deploy.extras import import_av
from dni_deploy.films.film import Film
from dni_deploy.films.priority import kept_priority
from dni_deploy.films.source.opening import open_film, reason
from dni_deploy.films.target.aspect import is_lost, write_aspect
from dni_deploy.films.target.copies import add_copies, copied_packets, copy_tags
from dni_deploy.films.target.encoding import Encoding
from dni_deploy.films.target.holding import open_target
from dni_deploy.films.target.part_file import EncodedPart, read_part
from dni_deploy.films.target.span import Span, span_of
from dni_runtime import OutputError

if TYPE_CHECKING:
    from av import Packet
    from av.container import OutputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream


def join(
    parts: Sequence[Path],
    film: Film,
    encoding: Encoding,
    output: Path,
    *,
    start: int | None = None,
    end: int | None = None,
    drop: Collection[str] = (),
) -> tuple[str, ...]:
    """Write `output`, whatever its name ends in, of `parts` in their order and of what else `film` holds.

    start, end: what is kept of the film (all), in its ticks: `start` becomes the moment 0 of the new one.
    drop:       which of `DROPPABLE` to leave out.

    Returns what of the film was damaged and left out, each a few words that follow its name.

    Raises OutputError where a part is not whole, or was encoded otherwise, or FFmpeg does not write what there is
    beside, and OSError.
    """
    encoded = [read_part(path) for path in parts]
    try:
        notes = _write(encoded, film, encoding, output, start, end, drop)
    except import_av().FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise OutputError(
            f"what {film.path} has beside its pictures cannot be written with them ({reason(error)}): choose a name "
            "that ends in .mkv, or leave streams out by --drop"
        ) from error
    if is_lost(encoding.container, encoding.encoder, encoding.aspect):
        write_aspect(output, encoding.frames.width, encoding.frames.height, encoding.aspect or Fraction(1))
    return notes


def _write(
    parts: Sequence[EncodedPart],
    film: Film,
    encoding: Encoding,
    output: Path,
    start: int | None,
    end: int | None,
    drop: Collection[str],
) -> tuple[str, ...]:
    with (
        closing(open_film(film.path)) as source,
        open_target(f"file:{output}", encoding.container, source.metadata) as target,
    ):
        span = span_of(source, film, start, end)
        video = encoding.add_to(target)
        copies = add_copies(source, film, target, drop)
        copy_tags(source, film, target, video, span)
        with kept_priority():  # it opens an encoder, too
            target.start_encoding()
        _check(parts, video)
        pictures = _pictures(parts, film, span, video)
        lost = Counter[int]()
        others = copied_packets(source, copies, span, lost)
        _mux(target, heapq.merge(pictures, others, key=lambda each: each[0]), copies, lost)
        return tuple(_lost(source.streams[index], count) for index, count in lost.items())


def _mux(
    target: OutputContainer,
    packets: Iterator[tuple[float, Packet[Any]]],
    copies: Mapping[int, Stream],
    lost: Counter[int],
) -> None:
    """Write all packets but those copies that are damaged, which `lost` counts by the index of what they copy.

    Raises FFmpeg's errors; also where more is lost of a stream than kept, which then is of another kind than it says.
    """
    av = import_av()
    sources = {copy.index: index for index, copy in copies.items()}
    kept = Counter[int]()
    refusals: dict[int, Exception] = {}
    for _, packet in packets:
        index = sources.get(packet.stream.index)
        try:
            target.mux_one(packet)
        except (av.InvalidDataError, av.ArgumentError) as error:
            if index is None:
                raise
            lost[index] += 1
            refusals[index] = error
        else:
            kept.update([] if index is None else [index])
    for index, refusal in refusals.items():
        if lost[index] > kept[index]:
            raise refusal


def _lost(stream: Stream, count: int) -> str:
    pieces = "a piece is" if count == 1 else f"{count} pieces are"
    return f"of its {stream.type} (stream {stream.index}) {pieces} damaged, left out"


def _check(parts: Sequence[EncodedPart], video: VideoStream) -> None:
    expected = video.codec_context.extradata or b""
    for part in parts:
        if part.extradata != expected:
            raise OutputError(
                f"{part.path} was encoded by another version of FFmpeg's libraries than this one's; "
                "encode all parts of a film by one: begin anew, with --force in place of --resume"
            )


def _pictures(
    parts: Sequence[EncodedPart], film: Film, span: Span, video: VideoStream
) -> Iterator[tuple[float, Packet[Any]]]:
    """The packets of all parts with all their times, moved to the new clock, and when they are decoded."""
    base = film.video.time_base
    pts = np.concatenate([part.pts for part in parts]) - round(span.zero / base)
    shown = np.sort(pts)
    durations = np.diff(shown, append=_end(film, span) - round(span.zero / base))
    dts = decoding_times(pts)
    number = 0
    for part in parts:
        for packet in part.packets():
            packet.pts, packet.dts = int(pts[number]), int(dts[number])
            packet.duration = int(durations[np.searchsorted(shown, pts[number])])
            packet.time_base, packet.stream = base, video
            yield packet.dts * float(base), packet
            number += 1


def _end(film: Film, span: Span) -> int:
    """The tick until which the last picture is shown."""
    index = film.index
    last = int(index.pts[-1] + index.durations[-1])
    return last if span.end is None else min(last, round(span.end / film.video.time_base))


def decoding_times(pts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """When each packet is decoded, in order and not after it is shown: as many frames before as they change places.

    Encoders tell these times as well, but those of two parts overlap where the frame rate varies.
    """
    shown = np.sort(pts)
    late = int(np.max(np.arange(len(pts)) - np.searchsorted(shown, pts)))
    if late == 0:
        return shown
    return np.concatenate([shown[:late] + shown[0] - shown[late], shown[:-late]])
