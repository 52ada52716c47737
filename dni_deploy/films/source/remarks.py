"""What users are told of a film as a whole: what is not carried over, is missing, or had to be assumed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dni_deploy.films.film import Index
from dni_deploy.films.moments import show_moment

from .opening import is_cover

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream

_LEFT_OUT = {
    "DOVI_RPU_BUFFER": "Dolby Vision",
    "DOVI_METADATA": "Dolby Vision",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DYNAMIC_HDR_VIVID": "HDR Vivid",
    "SPHERICAL": "a 360-degree projection",
    "STEREO3D": "the mark of a 3D film",
    "ICC_PROFILE": "a colour profile",
    "A53_CC": "captions within the pictures",
}
_LENGTH_TAG = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_CUT_OFF_S = 0.25


def remarks_on(stream: VideoStream, frames: list[VideoFrame], index: Index) -> Iterator[str]:
    """A few words each, that follow the film's name. frames: the first ones. index: of what is in the file."""
    streams = stream.container.streams.video
    others = [str(other.index) for other in streams if other.index != stream.index and not is_cover(other)]
    if others:
        yield f"has several streams of moving pictures: {stream.index} is enhanced, not {', '.join(others)}"
    kinds = {kind for frame in frames for kind in side_data(frame)}
    if "stereo_mode" in stream.metadata:  # a tag, which is carried over like the others
        kinds.discard("STEREO3D")
    for name in dict.fromkeys(name for kind, name in _LEFT_OUT.items() if kind in kinds):
        yield f"has {name}, which cannot be carried over"
    if index.counted and stream.average_rate:
        yield f"does not say when its frames are shown: taken to be {float(stream.average_rate):g} a second"
    end, said = _end_s(stream, index), _said_length_s(stream)
    if said is not None and said > end + _CUT_OFF_S:
        yield f"is cut off: its pictures end at {show_moment(end)} of {show_moment(said)}"


def side_data(frame: VideoFrame) -> dict[str, bytes]:
    """By FFmpeg's name of its kind, what goes with a frame: with each also what the container says of all."""
    items: Any = frame.side_data
    return {item.type.name: bytes(item) for item in items}


def _end_s(stream: VideoStream, index: Index) -> float:
    """Of the last frame. Where a film begins late, some files count from there, others from 0: the later of both."""
    assert stream.time_base is not None
    end = int(index.pts[-1]) + int(index.durations[-1])
    return float(max(end, end - int(index.pts[0])) * stream.time_base)


def _said_length_s(stream: VideoStream) -> float | None:
    """How long the file says that its pictures last."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if length := _LENGTH_TAG.match(stream.metadata.get("DURATION", "")):
        return 3600 * int(length[1]) + 60 * int(length[2]) + float(length[3])
    return None
