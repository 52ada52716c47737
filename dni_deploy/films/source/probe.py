"""What a film is, from its file: its stream of pictures, when they are shown, and what is odd about it."""

from __future__ import annotations

import shlex
import struct
from contextlib import closing
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from dni_deploy.films.film import Colours, Film, Video
from dni_runtime import InputError

from .decoders import decoded, decoder_of
from .demuxing import packets_of
from .opening import open_film, pictures_of
from .packets import begin_at, index_of
from .remarks import remarks_on, side_data

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream
    from av.container import InputContainer

# Of these first frames is told how all are: whether they are interlaced, and which data go with them.
_LOOKED_AT = 8
# A film of which so much is not decoded is none.
_MOST_PACKETS = 1000
_MATRIX = struct.Struct("9i")
_INTERLACED_ORDERS = range(2, 6)  # AVFieldOrder: 0 is not said, 1 progressive


def look_at(path: Path) -> Film:
    """Look at the film in the file `path`: all of its packets, and its first frames.

    Raises InputError for what is no film, is damaged from the first frame to the last, is interlaced, or goes back in
    time, and DniError without the extra.
    """
    path = Path(path)
    with closing(open_film(path)) as container:
        stream = pictures_of(container, path)
        frames = _first_frames(container, stream, path)
        _refuse_interlaced(path, stream, frames)
        video = _video(stream, frames[0])
    with closing(open_film(path)) as container:
        stream = pictures_of(container, path)
        index, impossible = index_of(container, stream, path)
        notes = [*remarks_on(stream, frames, index)]
    first = frames[0].pts
    shown = index if index.counted or first is None else begin_at(index, first)
    if lost := len(index.pts) - len(shown.pts):
        notes.append(f"begins with {_frames(lost)} that cannot be decoded, left out")
    if impossible:
        notes.append(f"holds {_frames(impossible)} whose moment cannot be, or is another's, left out")
    return Film(path, video, shown, tuple(notes))


def _first_frames(container: InputContainer, stream: VideoStream, path: Path) -> list[VideoFrame]:
    packets = islice(packets_of(container, stream, path), _MOST_PACKETS)
    frames = [*islice(decoded(decoder_of(stream), packets), _LOOKED_AT)]
    if not frames:
        raise InputError(f"{path}: none of its first frames can be decoded; expected a film that can be played")
    return frames


def _video(stream: VideoStream, frame: VideoFrame) -> Video:
    assert stream.time_base is not None
    context = stream.codec_context
    data = side_data(frame)
    matrix = data.get("DISPLAYMATRIX")
    aspect = stream.sample_aspect_ratio
    return Video(
        stream=stream.index,
        codec=context.codec.canonical_name,
        width=frame.width,
        height=frame.height,
        pixels=frame.format.name,
        time_base=Fraction(stream.time_base),
        rate=stream.average_rate or stream.guessed_rate or None,
        aspect=Fraction(aspect) if aspect else None,
        display_matrix=_MATRIX.unpack(matrix) if matrix else None,
        colours=Colours(
            range=frame.color_range or context.color_range,
            matrix=_said(frame.colorspace, context.colorspace),
            primaries=_said(frame.color_primaries, context.color_primaries),
            transfer=_said(frame.color_trc, context.color_trc),
        ),
        mastering=data.get("MASTERING_DISPLAY_METADATA"),
        light=data.get("CONTENT_LIGHT_LEVEL"),
    )


def _said(of_frame: int, of_stream: int) -> int:
    """What the frame says of a colour, else the stream: 2 is "not said"."""
    return int(of_stream) if of_frame == 2 else int(of_frame)


def _refuse_interlaced(path: Path, stream: VideoStream, frames: list[VideoFrame]) -> None:
    if stream.codec_context.field_order in _INTERLACED_ORDERS or any(frame.interlaced_frame for frame in frames):
        raise InputError(
            f"{path} is interlaced: each frame is two pictures, line by line; expected whole pictures: "
            f"ffmpeg -i {shlex.quote(str(path))} -vf bwdif=send_frame -crf 10 -c:a copy whole.mkv"
        )


def _frames(number: int) -> str:
    return "a frame" if number == 1 else f"{number} frames"
