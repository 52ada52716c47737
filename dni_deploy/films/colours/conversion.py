"""A film's frames to pictures for a network, and pictures to frames for an encoder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dni_deploy.extras import import_av
from dni_deploy.films.film import Colours, Video

from .meaning import FULL, RGB, assumed
from .pixel_format import pixel_format
from .planes import plane
from .scaler import Kind, Scaler
from .turning import turn

_IN_MEMORY = Colours(range=FULL, matrix=RGB)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an encoder wants of frames.

    pixels:        FFmpeg's name of the pixel format.
    width, height: of the frames, after `turn`.
    colours:       what the file says of them (`meaning.to_write`).
    turn:          the display matrix by which pictures are turned, where the file has no place for it; else None.
    """

    pixels: str
    width: int
    height: int
    colours: Colours = field(default_factory=Colours)
    turn: tuple[int, ...] | None = None


def is_deep(video: Video, *, lossless: bool = False) -> bool:
    """Whether pictures are uint16: of films of more than 8 bits, and where nothing may be lost."""
    return lossless or pixel_format(video.pixels).depth > 8


@dataclass(slots=True)
class Conversion:
    """Both ways between the frames of a film and pictures, each way for one thread.

    deep:   pictures are uint16, else uint8 (`is_deep`).
    wanted: what `to_frame` makes; None where nothing is encoded.
    """

    video: Video
    deep: bool
    wanted: Wanted | None = None
    _scalers: dict[tuple[Any, ...], Scaler] = field(default_factory=dict)

    def to_picture(self, frame: Any) -> npt.NDArray[Any]:
        """A decoded `av.VideoFrame` as uint8 or uint16, values over the whole range of the dtype.

        Returns (H, W) of a grey film, (H, W, 4) with opacity of one that has it, else (H, W, 3) RGB. A frame that is
        of another size than the film, or of other pixels, becomes like the others.
        """
        video, kind = self.video, pixel_format(self.video.pixels)
        source = Kind(frame.format.name, frame.width, frame.height)
        meant = assumed(source.pixels, video.height, video.colours)
        size = (video.width, video.height)
        name = "gray" if kind.kind == "grey" and not kind.opacity else "gbrap" if kind.opacity else "gbrp"
        planar = self._scaled(frame, source, meant, Kind(name + "16le" * self.deep, *size), _IN_MEMORY)
        if name == "gray":
            return np.array(plane(planar, 0))
        # By way of planes, which is seven times as fast as at once.
        packed = Kind(("rgba" if kind.opacity else "rgb") + self._packed_suffix(kind.opacity), *size)
        whole = self._scaled(planar, Kind(planar.format.name, *size), _IN_MEMORY, packed, _IN_MEMORY)
        return np.array(plane(whole, 0))

    def to_frame(self, picture: npt.NDArray[Any], pts: int) -> Any:
        """An `av.VideoFrame` for the encoder, shown at `pts`, of a picture of any size, uint8 or uint16.

        picture: (H, W) or (H, W, 1) grey, (H, W, 3) RGB, or (H, W, 4) RGB and opacity.
        """
        wanted = self.wanted
        assert wanted is not None
        if wanted.turn is not None:
            picture = turn(picture, wanted.turn)
        if picture.ndim == 3 and picture.shape[2] == 1:
            picture = picture[..., 0]
        deep, channels = picture.dtype != np.uint8, 1 if picture.ndim == 2 else picture.shape[2]
        name = {1: "gray16le" if deep else "gray", 3: "rgb48le" if deep else "rgb24", 4: "rgba64le" if deep else "rgba"}
        source = Kind(name[channels], picture.shape[1], picture.shape[0])
        frame = import_av().VideoFrame(source.width, source.height, source.pixels)
        plane(frame, 0)[...] = picture
        meant = assumed(wanted.pixels, wanted.height, wanted.colours)
        result = self._scaled(frame, source, _IN_MEMORY, Kind(wanted.pixels, wanted.width, wanted.height), meant)
        result.pts, result.time_base = pts, self.video.time_base
        said = wanted.colours
        result.color_range, result.colorspace = said.range, said.matrix
        result.color_primaries, result.color_trc = said.primaries, said.transfer
        return result

    def _packed_suffix(self, opacity: bool) -> str:
        return (("64le" if opacity else "48le") if self.deep else "") if opacity or self.deep else "24"

    def _scaled(self, frame: Any, source: Kind, of: Colours, result: Kind, to: Colours) -> Any:
        if (key := (source, of, result, to)) not in self._scalers:
            kernel = "bicubic" if source[1:] == result[1:] else "lanczos"
            self._scalers[key] = Scaler(source, of, result, to, kernel)
        return self._scalers[key](frame)
