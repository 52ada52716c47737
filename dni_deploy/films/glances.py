"""Single frames of a film, for which no more of it is decoded than it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .colours.conversion import Conversion, values_of
from .film import Film, Part
from .source.frames import Frames


def pictures_at(film: Film, moments: Sequence[int]) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """The moment and the picture, see `Conversion.to_picture`, of the frames at `moments`.

    moments: of frames in the film's index, rising. Frames that cannot be decoded are left out.
    """
    conversion = Conversion(film.video, values_of(film.video))
    keys = film.index.keys
    with Frames(film) as frames:
        done = moments[0]
        for number, moment in enumerate(moments):
            # Where there is a keyframe on the way, what lies before it need not be decoded.
            skips = np.searchsorted(keys, moment, "right") > np.searchsorted(keys, done, "left")
            for frame in frames.read(Part(number, moment if skips else done, moment + 1)):
                if frame.pts == moment:
                    yield moment, conversion.to_picture(frame)
            done = moment + 1


def frames_between(film: Film, begin_s: float, end_s: float) -> npt.NDArray[np.int64]:
    """The moments of the frames from the second `begin_s` on and before `end_s`."""
    seconds = seconds_of_frames(film)
    return film.index.pts[(seconds >= begin_s) & (seconds < end_s)]


def seconds_of_frames(film: Film) -> npt.NDArray[np.float64]:
    """As `Film.seconds`, of every frame."""
    ticks = film.index.pts - film.index.pts[0]
    seconds: npt.NDArray[np.float64] = ticks * film.video.time_base.numerator / film.video.time_base.denominator
    return seconds
