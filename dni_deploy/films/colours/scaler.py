"""FFmpeg's own conversions between pixel formats and sizes, asked for accuracy: the steps, and frames through them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from dni_deploy.extras import import_av
from dni_deploy.films.film import Colours

from .meaning import BT470BG, BT709, BT2020, BT2020_CONSTANT, FCC, FULL, SMPTE170M, SMPTE240M
from .pixel_format import PixelFormat

if TYPE_CHECKING:
    from av import VideoFrame

# All processors give the same by the last of them. Without the others, colours of 4:2:0 belong to pairs of pixels.
_ACCURATE = "accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
# FFmpeg's old code takes white for 255 of 256 parts, and shifts the colours of a full range by half a value. Its new
# one, which it calls unstable, is exact. It does what is no change of size, for frames with a plane for each value that
# FFmpeg allocated itself: others it may read and write beyond their ends.
_EXACT = "unstable+accurate_rnd"
_MATRICES = {
    BT709: "bt709",
    FCC: "fcc",
    BT470BG: "bt601",
    SMPTE170M: "bt601",
    SMPTE240M: "smpte240m",
    BT2020: "bt2020",
    BT2020_CONSTANT: "bt2020",
}


class Kind(NamedTuple):
    """What frames are alike in: the pixel format by FFmpeg's name, and the size."""

    pixels: str
    width: int
    height: int


class Step(NamedTuple):
    """One filter of FFmpeg, and its options."""

    filter: str
    options: str


def converted(pixels: PixelFormat, of: Colours, result: PixelFormat, to: Colours) -> list[Step]:
    """To other numbers for the same colours, of the same size, where there is a colour for each pixel.

    of, to: what the numbers of either format mean (`meaning.assumed`).
    """
    matrix = _MATRICES.get(of.matrix or to.matrix, "bt709")
    ranges = f"in_range={_range(of)}:out_range={_range(to)}"
    options = f"flags={_EXACT}:sws_dither=none:in_color_matrix={matrix}:out_color_matrix={matrix}:{ranges}"
    start = [] if pixels.plain == pixels.planar else resampled(pixels.planar, "bicubic")
    end = [] if result.plain == result.planar else resampled(result.plain, "bicubic")
    return [*start, Step("scale", options), Step("format", result.planar), *end]


def resampled(
    pixels: str, kernel: str, *, size: tuple[int, int] | None = None, location: str | None = None
) -> list[Step]:
    """To another size, (width, height), of everything or of the colours alone; the numbers mean what they did.

    kernel:   FFmpeg's name of how, with its parameters.
    location: where the colours of several pixels lie, by FFmpeg's name, "left" or "center".
    """
    options = f"flags={_ACCURATE}+{kernel}:sws_dither=none:in_range=limited:out_range=limited"
    options += ":in_color_matrix=bt709:out_color_matrix=bt709"
    if size is not None:
        options += f":w={size[0]}:h={size[1]}"
    if location is not None:
        options += f":in_chroma_loc={location}:out_chroma_loc={location}"
    return [Step("scale", options), Step("format", pixels)]


def _range(colours: Colours) -> str:
    return "full" if colours.range == FULL else "limited"


class Scaler:
    """Frames of one kind through some steps. For one thread."""

    def __init__(self, source: Kind, steps: Sequence[Step]) -> None:
        graph = import_av().filter.Graph()
        graph.threads = 1  # more of them may write into each other's lines
        size = f"{source.width}x{source.height}"
        nodes = [graph.add("buffer", f"video_size={size}:pix_fmt={source.pixels}:time_base=1/1:pixel_aspect=1/1")]
        # What frames say of their colours would be a reason to convert them: the steps alone decide.
        nodes.append(
            graph.add("setparams", "colorspace=unknown:range=unknown:color_primaries=unknown:color_trc=unknown")
        )
        # For which a frame has to be one of FFmpeg's own.
        own = [] if _EXACT not in steps[0].options else [Step("copy", "")]
        nodes += [graph.add(step.filter, step.options) for step in (*own, *steps)]
        graph.link_nodes(*nodes, graph.add("buffersink")).configure()
        self._graph = graph

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        """An `av.VideoFrame` of the result's kind."""
        self._graph.vpush(frame)
        return cast("VideoFrame", self._graph.vpull())
