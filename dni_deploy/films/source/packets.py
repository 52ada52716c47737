"""When which frame is shown, from the packets of a film; nothing is decoded."""

from __future__ import annotations

import shlex
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from dni_deploy.films.film import Index
from dni_runtime import InputError

from .demuxing import packets_of

if TYPE_CHECKING:
    from av import VideoStream
    from av.container import InputContainer
    from av.packet import Packet

# What these say of the moments is what their authors wrote. Others have none where frames are coded in another order
# than they are shown in, and FFmpeg puts the order of decoding there.
_FORMATS_WITH_MOMENTS = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "mpegts", "flv"})
_USUAL_RATE = Fraction(25)
# No codec moves a frame by more places than this from where it is decoded to where it is shown. A few that are further
# away are damaged; more are another recording.
_FURTHEST = 16
_FEW, _FEW_SHARE = 3, 0.01
_YEAR_S = 365.25 * 86400
_LATEST_S = 1e10  # some recorders count from 1970


class _Said(NamedTuple):
    """What a packet says of its frame; in FFmpeg's ticks, None where it says nothing."""

    pts: int | None
    dts: int | None
    duration: int
    is_key: bool


def index_of(container: InputContainer, stream: VideoStream, path: Path) -> tuple[Index, int]:
    """The moments of all frames of `stream` in a container that has just been opened; its packets are read to the end.

    With the number of frames that are left out, since their moment cannot be, or is another's. Raises InputError for a
    film whose time jumps back.
    """
    said = [
        _Said(packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe)
        for packet in packets_of(container, stream, path)
        if _is_shown(packet, stream)
    ]
    if not said:
        raise InputError(f"{path} holds no frame; expected a film")
    moments = np.array([packet.pts for packet in said if packet.pts is not None], np.int64)
    if len(moments) < len(said) or _in_order_of_decoding(moments, stream, container.format.name):
        return _counted(said, stream), 0
    _require_times(moments, stream, path)
    possible = _possible(moments, path)
    pts, first = np.unique(moments[possible], return_index=True)
    last = said[int(np.flatnonzero(possible)[first[-1]])]
    keys = np.unique(moments[possible & np.array([packet.is_key for packet in said])])
    return Index(pts, _until_next(pts, last.duration), keys), len(said) - len(pts)


def begin_at(index: Index, pts: int) -> Index:
    """`index` without what is shown before `pts`."""
    later = index.pts >= pts
    return replace(index, pts=index.pts[later], durations=index.durations[later], keys=index.keys[index.keys >= pts])


def _is_shown(packet: Packet[VideoStream], stream: VideoStream) -> bool:
    """Whether a frame comes of it: none does of what an edit list leaves out, or of pictures that others refer to."""
    hidden = stream.codec_context.name == "vp8" and not memoryview(packet)[0] & 0x10
    return not packet.is_discard and not hidden


def _in_order_of_decoding(moments: npt.NDArray[np.int64], stream: VideoStream, format_: str) -> bool:
    """Whether these are no moments, though frames may change places."""
    stated = format_ in _FORMATS_WITH_MOMENTS
    return not stated and stream.codec_context.has_b_frames and bool(np.all(np.diff(moments) > 0))


def _require_times(moments: npt.NDArray[np.int64], stream: VideoStream, path: Path) -> None:
    """Raise InputError for moments of no clock; from such to others' ticks numbers get too large for FFmpeg."""
    farthest_s = float(np.abs(moments.astype(np.float64)).max()) * float(stream.time_base or 1)
    if farthest_s > _LATEST_S:
        raise InputError(
            f"{path} shows a frame {farthest_s / _YEAR_S:,.0f} years from its beginning, so its table of moments is "
            "damaged; expected a whole film. What is left of its pictures is saved by: "
            f"ffmpeg -i {shlex.quote(str(path))} -map 0:v -c copy pictures.h264 (or .h265, as it is encoded)"
        )


def _possible(moments: npt.NDArray[np.int64], path: Path) -> npt.NDArray[np.bool_]:
    """Which moments are near those of the frames that are decoded before and after. Raises InputError for too few."""
    order = np.arange(len(moments))
    places = np.empty_like(order)
    places[np.argsort(moments, kind="stable")] = order
    possible: npt.NDArray[np.bool_] = np.abs(places - order) <= _FURTHEST
    if len(moments) - np.count_nonzero(possible) > max(_FEW, len(moments) * _FEW_SHARE):
        raise InputError(
            f"{path} goes back in time, as recordings do that were put one behind the other; expected moments that "
            f"go on: ffmpeg -i {shlex.quote(str(path))} -c copy whole.mkv"
        )
    return possible


def _counted(said: list[_Said], stream: VideoStream) -> Index:
    """Each frame one step after the other: by when they are decoded, where that is known, else by the rate.

    The first is shown when all have been decoded that may be shown before others, which is when FFmpeg shows it, too.
    """
    assert stream.time_base is not None
    rate = stream.average_rate or stream.guessed_rate or _USUAL_RATE
    step = max(1, round(1 / (rate * stream.time_base)))
    decoded = np.unique(np.array([packet.dts for packet in said if packet.dts is not None], np.int64))
    pts = decoded + step * stream.codec_context.reorder_depth
    if len(pts) < len(said):
        pts = np.arange(len(said), dtype=np.int64) * step
    return Index(pts, _until_next(pts, step), pts[:1], counted=True)


def _until_next(pts: npt.NDArray[np.int64], last: int) -> npt.NDArray[np.int64]:
    """From each to the next; `last`: of the last one, 0 where that is not known, so that the one before has to do."""
    steps = np.diff(pts)
    return np.append(steps, last or (steps[-1] if len(steps) else 1))
