"""Which pixel format a film is encoded in."""

from __future__ import annotations

import functools

from dni_deploy.extras import import_av
from dni_deploy.films.colours.pixel_format import PixelFormat, pixel_format

_PLAIN = ("yuv", "gray", "ya", "gbr", "bgr0", "bgra", "rgb24", "rgb48", "rgba64")

_LISTED_ONLY = {
    "libx265": ("yuva420p", "yuva420p10le"),
    "libvpx-vp9": ("gbrap", "yuva422p", "yuva444p", "yuv440p"),
}


@functools.cache
def pixels_of(encoder: str) -> tuple[PixelFormat, ...]:
    """What an encoder takes and `Conversion` makes, the plain ones: none of full range by name, none of halves."""
    formats = import_av().Codec(encoder, "w").video_formats or ()
    names = [each.name for each in formats if each.name.startswith(_PLAIN) and not each.name.startswith("yuvj")]
    return tuple(pixel_format(name) for name in names if _works(encoder, name))


def _works(encoder: str, name: str) -> bool:
    """Halves are no pixels of films; and not all that is listed is encoded, and read again, by FFmpeg's libraries."""
    return "f16" not in name and "f32" not in name and name not in _LISTED_ONLY.get(encoder, ())


def widely_played(source: PixelFormat, encoder: str, *, whole_colours: bool) -> PixelFormat | None:
    """What most players know: 4:2:0, 8 bits of a film that has not more, else 10; `whole_colours`: 4:4:4.

    With opacity where the film has it. None where the encoder has no such format.
    """
    steps = 1 if whole_colours else 2
    fit = [
        each
        for each in pixels_of(encoder)
        if each.kind == "yuv" and each.opacity == source.opacity and each.across == each.down == steps
    ]
    return min(fit, key=lambda each: (abs(each.depth - min(source.depth, 10)), each.depth), default=None)


def as_stored(source: PixelFormat, encoder: str, *, whole: bool, whole_colours: bool) -> PixelFormat | None:
    """The smallest format that holds all that the film's does; without `whole`, else the one that holds most of it.

    whole_colours: only such as have colours for every pixel. None where there is none.
    """
    formats = [each for each in pixels_of(encoder) if each.opacity or not source.opacity]
    if whole_colours:
        formats = [each for each in formats if each.across == each.down == 1]
    if whole:
        formats = [each for each in formats if not any(_lacking(source, each))]
    return min(formats, key=lambda each: (_lacking(source, each), _more(source, each)), default=None)


def _lacking(source: PixelFormat, each: PixelFormat) -> tuple[int, ...]:
    """What `each` does not hold of `source`: other colours first, then coarser ones, then bits."""
    other = each.kind != source.kind and not (source.kind == "grey" and each.kind == "yuv")
    coarser = 0 if source.kind == "grey" else max(0, each.across - source.across) + max(0, each.down - source.down)
    return int(other), coarser, max(0, source.depth - each.depth)


def _more(source: PixelFormat, each: PixelFormat) -> tuple[int, ...]:
    return each.kind != source.kind, each.depth, each.opacity, -each.across * each.down
