"""What FFmpeg's names of pixel formats say."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from dni_deploy.extras import import_av


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How a film's pixels are stored.

    kind:    "grey", "rgb", or "yuv" for brightness and two colour differences.
    depth:   bits of a value.
    opacity: whether there is a plane of it.
    across, down: of how many pixels one has colours, in that direction; 2 and 2 is what is called 4:2:0.
    full:    what is meant where a stream does not say: whether values go from 0 to the greatest.
    """

    name: str
    kind: str
    depth: int
    opacity: bool = False
    across: int = 1
    down: int = 1
    full: bool = False

    @property
    def plain(self) -> str:
        """The name of the same format that leaves it to the stream to say that its range is full."""
        return self.name.replace("yuvj", "yuv")

    @property
    def planar(self) -> str:
        """The format with a plane for each value and colours for each pixel, of the same kind, depth and opacity.

        Of 16 bits where FFmpeg has none of that depth; of RGB for grey with opacity.
        """
        opacity = "a" * self.opacity
        if self.kind == "grey" and not opacity:
            name = "gray"
        else:
            name = f"yuv{opacity}444p" if self.kind == "yuv" else f"gbr{opacity}p"
        if self.depth <= 8:
            return name
        if self.depth > 16 and self.kind == "rgb":
            return f"{name}f32le"
        return f"{name}{self.depth}le" if _is_known(f"{name}{self.depth}le") else f"{name}16le"

    @property
    def chroma(self) -> str:
        """As films call it: "4:2:0", "4:2:2", "4:4:4", ...; "" for grey and RGB."""
        known = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1", (4, 4): "4:1:0"}
        return known.get((self.across, self.down), "") if self.kind == "yuv" else ""


@functools.cache
def pixel_format(name: str) -> PixelFormat:
    """By FFmpeg's name, such as "yuv420p10le". Raises ValueError for a name that FFmpeg does not know."""
    av = import_av()
    known = av.VideoFormat(name, 64, 64)
    # Of a palette, whose entries may have opacity, but in films do not: those that do are decoded as bgra.
    opacity = any(each.is_alpha for each in known.components) and not known.has_palette
    colours = len(known.components) - opacity
    rgb = known.is_rgb or known.has_palette or known.is_bayer or name.startswith("xyz")
    kind = "rgb" if rgb else "yuv" if colours == 3 else "grey"
    return PixelFormat(
        name=name,
        kind=kind,
        depth=8 if known.has_palette else max(each.bits for each in known.components),
        opacity=opacity,
        across=64 // known.chroma_width() if kind == "yuv" else 1,
        down=64 // known.chroma_height() if kind == "yuv" else 1,
        full=kind != "yuv" or name.startswith("yuvj"),
    )


def _is_known(name: str) -> bool:
    try:
        import_av().VideoFormat(name)
    except ValueError:
        return False
    return True
