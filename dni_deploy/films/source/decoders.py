"""Which of FFmpeg's decoders is for which stream, how many threads it may have, and what it makes of packets."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dni_deploy.extras import import_av

if TYPE_CHECKING:
    from av import VideoCodecContext, VideoFrame, VideoStream
    from av.packet import Packet

# FFmpeg's own decoders of these leave opacity out.
_WITH_OPACITY = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
# Codecs of which several threads decode pieces of one frame, which gives the same frames, damaged or not. What threads
# for several frames make up for what is missing in a damaged film is a matter of how far the others are.
_IN_PIECES = frozenset({"ffv1", "hevc", "prores", "vp9"})
_THREADS = min(4, os.cpu_count() or 1)


def decoder_of(stream: VideoStream) -> VideoCodecContext:
    """What decodes the packets of `stream`; the same frames of the same packets on every machine, as soon as it can."""
    decoder, codec = stream.codec_context, stream.codec_context.codec.canonical_name
    if codec in _WITH_OPACITY and stream.metadata.get("alpha_mode") == "1":
        decoder = _with_opacity(decoder, _WITH_OPACITY[codec])
    decoder.thread_type = "SLICE"
    decoder.thread_count = _THREADS if codec in _IN_PIECES else 1
    return decoder


def decoded(decoder: VideoCodecContext, packets: Iterable[Packet[VideoStream]]) -> Iterator[VideoFrame]:
    """Frames as they are decoded, which is the order in which they are shown, without those that cannot be."""
    av = import_av()
    for packet in itertools.chain(packets, [None]):
        try:
            frames = decoder.decode(packet)
        except av.FFmpegError:
            continue
        yield from frames


def _with_opacity(plain: VideoCodecContext, name: str) -> VideoCodecContext:
    decoder: VideoCodecContext = import_av().CodecContext.create(name, "r")
    decoder.extradata = plain.extradata
    decoder.color_range, decoder.colorspace = plain.color_range, plain.colorspace
    decoder.color_primaries, decoder.color_trc = plain.color_primaries, plain.color_trc
    return decoder
