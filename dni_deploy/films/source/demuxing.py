"""The packets of a film's pictures, from its begin or from a key on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from dni_deploy.extras import import_av
from dni_deploy.films.film import Film
from dni_runtime import InputError

from .opening import open_film, pictures_of, reason

if TYPE_CHECKING:
    from pathlib import Path

    from av import VideoStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream

# Where a file has no list of its keys FFmpeg only comes near, and where frames change places it may find the next key.
_BACK_S = (0, 1, 10)
_PATIENCE = 1000


def packets_of(container: InputContainer, stream: VideoStream, path: Path) -> Iterator[Packet[VideoStream]]:
    """The packets of `stream` from here on, without empty ones. A file that is no film any more ends there.

    Raises InputError where the file cannot be read.
    """
    av = import_av()
    try:
        yield from (packet for packet in demuxed(container, [stream]) if packet.size)
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise InputError(f"{path} cannot be read on: {reason(error)}") from None


def demuxed(container: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet[Any]]:
    """All packets of `streams` from here on. Raises FFmpeg's errors where the file cannot be read."""
    patience = _PATIENCE
    while patience:
        try:
            for packet in container.demux(streams):
                patience = _PATIENCE
                yield packet
        except import_av().BlockingIOError:  # FFmpeg has only come to the end of what is damaged
            patience -= 1
        except IndexError:  # PyAV at the end of a film, where a stream has begun in its middle
            return
        else:
            return


def in_order(packets: Iterator[Packet[Any]], lost: Counter[int]) -> Iterator[Packet[Any]]:
    """All but those of sound whose moment is after that of the next one, or before that of the one before."""
    waiting: dict[int, Packet[Any]] = {}
    last: dict[int, int] = {}
    for packet in packets:
        index, dts = packet.stream_index, packet.dts
        if packet.stream.type != "audio" or dts is None:
            yield packet
            continue
        before = waiting.get(index)
        if before is not None and before.dts is not None:
            if dts < before.dts:
                lost[index] += 1
                if dts <= last.get(index, dts - 1):
                    continue
            else:
                last[index] = before.dts
                yield before
        waiting[index] = packet
    yield from waiting.values()


def packets_from(film: Film, key: int | None) -> Generator[Packet[VideoStream], None, None]:
    """The packets from that of the frame at `key` on, see `packets_of`; from the film's begin where it is None.

    Their stream has a decoder that is not open yet, and is closed with the iterator.
    """
    targets = [] if key is None else [key - round(back / film.video.time_base) for back in _BACK_S]
    for target in [*targets, None]:
        with closing(open_film(film.path)) as container:
            stream = pictures_of(container, film.path)
            if target is not None and not _seeks(container, stream, target):
                continue
            packets = packets_of(container, stream, film.path)
            first = next(packets, None) if key is None else _next_at(packets, key)
            if first is not None:
                yield first
                yield from packets
                return


def _seeks(container: InputContainer, stream: VideoStream, target: int) -> bool:
    try:
        container.seek(target, stream=stream)
    except import_av().FFmpegError:
        return False
    return True


def _next_at(packets: Iterator[Packet[VideoStream]], key: int) -> Packet[VideoStream] | None:
    """That of the key, which comes before all that is shown after it; None where it was before or is not to come."""
    for packet in packets:
        if packet.pts is not None and packet.pts >= key:
            return packet if packet.pts == key and packet.is_keyframe else None
    return None
