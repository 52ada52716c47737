"""FFmpeg's own conversion (swscale) between pixel formats and sizes, asked for accuracy."""

from __future__ import annotations

from typing import Any, NamedTuple

from dni_deploy.extras import import_av
from dni_deploy.films.film import Colours

from .meaning import BT470BG, BT709, BT2020, BT2020_CONSTANT, FCC, FULL, SMPTE170M, SMPTE240M

# Without the first three, values are off by 2 and the colours of a 4:2:0 film belong to pairs of pixels;
# with the fourth all processors give the same.
_FLAGS = "accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
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


class Scaler:
    """Frames of one kind to frames of another. For one thread.

    of, to: what the numbers of either mean, all of it said (`meaning.assumed`).
    kernel: FFmpeg's name of how sizes are changed, those of the colours of 4:2:0 too.
    """

    def __init__(self, source: Kind, of: Colours, result: Kind, to: Colours, kernel: str) -> None:
        graph = import_av().filter.Graph()
        matrix, space = _MATRICES.get(of.matrix or to.matrix, "bt709"), ("limited", "full")
        options = (
            f"w={result.width}:h={result.height}:flags={kernel}+{_FLAGS}:sws_dither=none"
            f":in_color_matrix={matrix}:out_color_matrix={matrix}"
            f":in_range={space[of.range == FULL]}:out_range={space[to.range == FULL]}"
        )
        size = f"{source.width}x{source.height}"
        nodes = (
            graph.add("buffer", f"video_size={size}:pix_fmt={source.pixels}:time_base=1/1:pixel_aspect=1/1"),
            graph.add("scale", options),
            graph.add("format", result.pixels),
            graph.add("buffersink"),
        )
        graph.link_nodes(*nodes).configure()
        self._graph = graph

    def __call__(self, frame: Any) -> Any:
        """An `av.VideoFrame` of the result's kind."""
        self._graph.vpush(frame)
        return self._graph.vpull()
