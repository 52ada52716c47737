"""What a film is: the words that all of this room shares.

Moments are counted as FFmpeg does: integers ("ticks") in a stream's time base, a fraction of a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Key: TypeAlias = tuple[float, ...]
"""An alpha as the model uses it, see `Model.check_alpha`."""


@dataclass(frozen=True, slots=True)
class Colours:
    """What a stream says of its colours, by the numbers of ITU-T H.273 that FFmpeg uses too; 2 is "not said".

    range: 0 not said, 1 limited (16 to 235 of 255), 2 full.
    """

    range: int = 0
    matrix: int = 2
    primaries: int = 2
    transfer: int = 2


@dataclass(frozen=True, slots=True)
class Video:
    """The stream of pictures of a film.

    stream:     its index in the file.
    codec:      FFmpeg's name, such as "h264".
    width, height: of the pictures as they are coded: before they are turned and before pixels that are not square.
    pixels:     FFmpeg's name of the pixel format, such as "yuv420p10le".
    time_base:  seconds of a tick.
    rate:       frames a second: the stream's average; None where it does not say.
    aspect:     width over height of a pixel; None where the stream does not say.
    display_matrix: 3 x 3 (int32, as FFmpeg's side data) by which players turn the picture; None to leave it.
    mastering, light: FFmpeg's side data about an HDR film's mastering display and content light level, as it is.
    """

    stream: int
    codec: str
    width: int
    height: int
    pixels: str
    time_base: Fraction
    rate: Fraction | None = None
    aspect: Fraction | None = None
    display_matrix: tuple[int, ...] | None = None
    colours: Colours = Colours()
    mastering: bytes | None = None
    light: bytes | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """When which frame of a film is shown, from its packets, without decoding one.

    pts:       int64, in the order in which they are shown.
    durations: int64, the way from each to the next; of the last one what its packet says.
    keys:      int64, the `pts` of frames at which decoding can begin; perhaps none.
    counted:   the packets do not say when frames are shown: the first decoded is the first here, and so on.
    """

    pts: npt.NDArray[np.int64]
    durations: npt.NDArray[np.int64]
    keys: npt.NDArray[np.int64]
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Film:
    """A film that has been looked at. `notes`: what is odd about it, each a few words that follow its name."""

    path: Path
    video: Video
    index: Index
    notes: tuple[str, ...] = ()

    def seconds(self, pts: int) -> float:
        """From the first frame to the moment `pts`."""
        return float((pts - int(self.index.pts[0])) * self.video.time_base)


@dataclass(frozen=True, slots=True)
class Part:
    """Frames that are made, and encoded, on their own: those with begin <= pts < end. `number` counts from 0."""

    number: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame on its way, with its moment and for how long it is shown, in ticks of the film's time base.

    picture: uint8, uint16 or float32 (H, W) or (H, W, C), as `Model.enhance` takes and gives it.
    """

    pts: int
    duration: int
    picture: npt.NDArray[Any]


class Strength(Protocol):
    """How strong the effect is when. Plain data: it travels to other machines, and is compared when a run goes on."""

    def at(self, second: float) -> Key | None:
        """The alpha at that many seconds from the film's first frame; None for a model without one."""
