"""A film's frames to pictures for a network, and pictures to frames for an encoder."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from dni_deploy.extras import import_av
from dni_deploy.films.film import Colours, Video
from dni_runtime import ModelError

from . import coarse
from .meaning import FULL, LIMITED, RGB, assumed
from .pixel_format import pixel_format
from .planes import plane, recast
from .scaler import Kind, Scaler, Step, converted, resampled
from .turning import turn

if TYPE_CHECKING:
    from av import VideoFrame

Values: TypeAlias = Literal["uint8", "uint16", "float32"]
"""Of a film's pictures: the dtype."""

IN_MEMORY = Colours(range=FULL, matrix=RGB)
"""What the numbers of a picture mean: RGB or grey over the whole range of the dtype."""
_PACKED = {
    ("uint8", 1): "gray",
    ("uint8", 3): "rgb24",
    ("uint8", 4): "rgba",
    ("uint16", 1): "gray16le",
    ("uint16", 3): "rgb48le",
    ("uint16", 4): "rgba64le",
    ("float32", 3): "gbrpf32le",
    ("float32", 4): "gbrapf32le",
}
_RGB_PLANES = (2, 0, 1, 3)
"""Which planes FFmpeg's GBR has red, green, blue and opacity in."""


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


def values_of(video: Video, *, lossless: bool = False) -> Values:
    """Which values the pictures of a film have: its own 8 bits, or 16 where it has more or nothing may be lost.

    Not every brightness has all colours: what is none, as at the edges of coarse colours, integers cut off. So where
    nothing may be lost and the film is not RGB or grey, pictures are floating-point and go beyond 0 and 1 there.
    """
    pixels = pixel_format(video.pixels)
    if lossless and pixels.kind == "yuv":
        return "float32"
    return "uint16" if lossless or pixels.depth > 8 else "uint8"


def beyond_restored(result: npt.NDArray[Any], picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """What the network made of `picture`, with what the picture has beyond black and white, which no network sees.

    So where the network changes nothing, every value is the picture's, to the last bit. Only of floats, and of a
    network that keeps the size: what another size has there is black or white. Overwrites `result`.
    """
    if picture.dtype == np.float32 and result.shape == picture.shape:
        result += picture - np.clip(picture, 0, 1)
    return result


@dataclass(slots=True)
class Conversion:
    """Both ways between the frames of a film and pictures, each way for one thread.

    values: of the pictures (`values_of`).
    wanted: what `to_frame` makes; None where nothing is encoded.
    """

    video: Video
    values: Values
    wanted: Wanted | None = None
    _scalers: dict[tuple[Kind, Kind], Scaler] = field(default_factory=dict, init=False, repr=False)

    def to_picture(self, frame: VideoFrame) -> npt.NDArray[Any]:
        """A decoded `av.VideoFrame` as an array of `values`, over the whole range of the dtype, or from 0 to 1.

        Returns (H, W) of a grey film, (H, W, 4) with opacity of one that has it, else (H, W, 3) RGB. A frame of
        another size or pixel format than the film's becomes like the others.
        """
        film, pixels = pixel_format(self.video.pixels), pixel_format(frame.format.name)
        channels = 4 if film.opacity else 1 if film.kind == "grey" else 3
        size, here = (self.video.width, self.video.height), (frame.width, frame.height)
        even = coarse.even_size(pixels, *here) if frame.format.is_planar else here
        source = Kind(pixels.name, *even)
        result = Kind(_PACKED[self.values, channels], *(even if here == size else size))
        if (scaler := self._scalers.get((source, result))) is None:
            steps = self._to_memory(source, result)
            scaler = self._scalers[source, result] = Scaler(source._replace(pixels=pixels.plain), steps)
        made, shown = scaler(recast(frame, pixels.plain, *even)), (slice(size[1]), slice(size[0]))
        if self.values == "float32":
            return np.stack([plane(made, number)[shown] for number in _RGB_PLANES[:channels]], axis=-1)
        return np.array(plane(made, 0)[shown])

    def to_frame(self, picture: npt.NDArray[Any], pts: int) -> VideoFrame:
        """An `av.VideoFrame` for the encoder, shown at `pts`, of a picture of any size; its values as in `to_picture`.

        picture: (H, W) or (H, W, 1) grey, (H, W, 3) RGB, or (H, W, 4) RGB and opacity.

        Raises ModelError if it holds NaN.
        """
        wanted = self.wanted
        assert wanted is not None
        picture = picture if wanted.turn is None else turn(picture, wanted.turn)
        size = wanted.width, wanted.height
        if picture.shape[1::-1] == size:
            size = coarse.even_size(pixel_format(wanted.pixels), *size)
            picture = coarse.continued(picture, *size, coarse.location(self.video))
        frame = in_memory(picture)
        source, result = Kind(frame.format.name, frame.width, frame.height), Kind(wanted.pixels, *size)
        if (scaler := self._scalers.get((source, result))) is None:
            scaler = self._scalers[source, result] = Scaler(source, self._to_encoder(source, result, wanted))
        made, said = recast(scaler(frame), wanted.pixels, wanted.width, wanted.height), wanted.colours
        made.pts, made.time_base = pts, self.video.time_base
        made.color_range, made.colorspace = said.range, said.matrix
        made.color_primaries, made.color_trc = said.primaries, said.transfer
        return made

    def _to_memory(self, source: Kind, result: Kind) -> list[Step]:
        pixels, meant = pixel_format(source.pixels), assumed(source.pixels, self.video.height, self.video.colours)
        now, steps = pixels, list[Step]()
        if coarse.is_coarse(pixels):
            now = coarse.whole(pixels)
            steps += coarse.to_whole(pixels, meant.range, coarse.location(self.video))
            meant = replace(meant, range=LIMITED)
        if source[1:] != result[1:]:
            now = coarse.whole(pixels)
            steps = steps or converted(pixels, meant, now, meant)
            steps += resampled(now.name, "lanczos", size=result[1:])
        return steps + converted(now, meant, pixel_format(result.pixels), IN_MEMORY)

    def _to_encoder(self, source: Kind, result: Kind, wanted: Wanted) -> list[Step]:
        pixels, film = pixel_format(wanted.pixels), pixel_format(self.video.pixels)
        meant, whole = assumed(wanted.pixels, wanted.height, wanted.colours), coarse.whole(pixels)
        now, steps, means = pixel_format(source.pixels), list[Step](), IN_MEMORY
        if source[1:] != result[1:] or coarse.is_coarse(pixels):
            means = replace(meant, range=LIMITED) if pixels.kind == "yuv" else IN_MEMORY
            steps += converted(now, IN_MEMORY, whole, means)
            now = whole
        if source[1:] != result[1:]:
            steps += resampled(whole.name, "lanczos", size=result[1:])
        if not coarse.is_coarse(pixels):
            return steps + converted(now, means, pixels, meant)
        # What comes back as it was is what has not been made larger.
        same = (wanted.width, wanted.height) == (self.video.width, self.video.height) and pixels.chroma == film.chroma
        return steps + coarse.from_whole(pixels, meant.range, coarse.location(self.video), undo=same)


def in_memory(picture: npt.NDArray[Any]) -> VideoFrame:
    """An `av.VideoFrame` of the picture's own values."""
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[..., 0]
    height, width, *rest = picture.shape
    channels, values = rest[0] if rest else 1, picture.dtype.name
    frame: VideoFrame = import_av().VideoFrame(width, height, _PACKED[values, channels])
    if values != "float32":
        plane(frame, 0)[...] = picture
        return frame
    if np.isnan(picture.min()):
        raise ModelError("the network's output holds NaN; check the model's weights and the range of its input")
    for channel, number in enumerate(_RGB_PLANES[:channels]):
        plane(frame, number)[...] = picture[..., channel]
    return frame
