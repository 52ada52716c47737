"""How the pictures of the new film are encoded: plain data, so that every machine encodes them alike."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from dni_deploy.extras import import_av
from dni_deploy.films.colours.conversion import Wanted
from dni_deploy.films.priority import kept_priority
from dni_deploy.films.target.aspect import PLACEHOLDER, is_lost
from dni_deploy.films.target.hdr import tell_container

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream


@dataclass(frozen=True, slots=True)
class Encoding:
    """What an encoder and a container are told.

    container:   FFmpeg's name of the format: "mp4", "mov", "matroska" or "webm".
    encoder:     FFmpeg's name of the encoder, such as "libx264".
    options:     its options, by FFmpeg's names.
    frames:      what `Conversion` makes for it: pixel format, size, colours, and whether pictures are turned.
    time_base:   the film's; frames keep their ticks.
    rate:        frames a second on average; None where the film does not say.
    aspect:      width over height of a pixel; None where the film does not say.
    display_matrix: by which players turn the picture; None where it is turned already, or need not be.
    mastering, light: of an HDR film, see `Video`.
    tag:         the four letters by which players know the codec; None for FFmpeg's choice.
    notes:       what is not as one might expect, each a few words that follow the name of the new film.
    """

    container: str
    encoder: str
    options: tuple[tuple[str, str], ...]
    frames: Wanted
    time_base: Fraction
    rate: Fraction | None = None
    aspect: Fraction | None = None
    display_matrix: tuple[int, ...] | None = None
    mastering: bytes | None = None
    light: bytes | None = None
    tag: str | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)

    def context(self) -> VideoCodecContext:
        """A new encoder that was told all of it, opened."""
        os.environ.setdefault("SVT_LOG", "1")  # else it writes a page about itself, past all of FFmpeg's settings
        context: VideoCodecContext = import_av().CodecContext.create(self.encoder, "w")
        context.flags |= _GLOBAL_HEADER
        self._tell(context)
        with kept_priority():
            context.open()
        return context

    def add_to(self, container: OutputContainer) -> VideoStream:
        """A new stream for packets that `context` has made. It is opened as well: so it knows what they need."""
        stream: Any = container.add_stream(self.encoder, rate=self.rate)
        tell_container(stream, self.encoder, self.mastering, self.light)
        self._tell(stream.codec_context)
        stream.time_base = self.time_base
        lost = is_lost(self.container, self.encoder, self.aspect)
        stream.set_display_matrix(PLACEHOLDER if lost else self.display_matrix)
        return cast("VideoStream", stream)

    def _tell(self, context: VideoCodecContext) -> None:
        frames, colours = self.frames, self.frames.colours
        context.width, context.height, context.pix_fmt = frames.width, frames.height, frames.pixels
        context.time_base = self.time_base
        context.framerate = self.rate or Fraction(0)
        if self.encoder == "libsvtav1":
            context.framerate = min(self.rate or Fraction(25), _MOST_SVT_AV1)
        context.sample_aspect_ratio = self.aspect or Fraction(0)
        context.color_range, context.colorspace = colours.range, colours.matrix
        context.color_primaries, context.color_trc = colours.primaries, colours.transfer
        context.field_order = _PROGRESSIVE
        context.thread_count, context.thread_type = THREADS, "AUTO"
        context.options = dict(self.options)
        if self.encoder.startswith("libx264") and _has_avx512():
            add_option(context.options, "x264-params", "asm=AVX2")
        if self.tag:
            context.codec_tag = self.tag


def add_option(options: dict[str, str], name: str, value: str) -> None:
    """What libraries are told in words of their own stands in one option, in a row."""
    options[name] = f"{options[name]}:{value}" if name in options else value


@functools.cache
def _has_avx512() -> bool:
    """Where x264 goes wrong: by AVX-512 its `mbtree` makes other bytes in every run (seen in x264 165, with one thread,
    too). The code for AVX2 makes what that for SSE4.2 makes, and is as fast.

    NumPy knows the processor; it names AVX-512 by one of its parts, or as a level of all processors.
    """
    told: Any = np.show_config(mode="dicts")
    levels = told.get("SIMD Extensions", {})
    names = [*levels.get("baseline", ()), *levels.get("found", ())]
    return any(name.startswith(("AVX512", "X86_V4")) for name in names)


THREADS = 6
"""Of an encoder on any machine: their number changes what x264 makes."""
_MOST_SVT_AV1 = Fraction(240)  # frames a second that it takes; it has to be told a number, too
_PROGRESSIVE = 1  # FFmpeg's AV_FIELD_PROGRESSIVE
_GLOBAL_HEADER = 1 << 22  # FFmpeg's AV_CODEC_FLAG_GLOBAL_HEADER: what decoders need is told once, apart from packets
