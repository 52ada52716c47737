"""What an HDR film says of the display that it was made on and of its brightest pictures: for the new one to say."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from dni_deploy.extras import import_av

if TYPE_CHECKING:
    from av.video.stream import VideoStream

# FFmpeg's AVMasteringDisplayMetadata: x and y of red, green, blue and white, the least and the greatest luminance, each
# as a fraction; then whether the colours, and the luminances, are said. And AVContentLightMetadata.
_DISPLAY, _LIGHT = struct.Struct("=20i2i"), struct.Struct("=2I")
_MATROSKA_CODECS = {
    "libx264": b"V_MPEG4/ISO/AVC",
    "libx265": b"V_MPEGH/ISO/HEVC",
    "libsvtav1": b"V_AV1",
    "libvpx-vp9": b"V_VP9",
    "ffv1": b"V_FFV1",
    "prores_ks": b"V_PRORES",
}

# Of each encoder that writes them: its option, their names in it, and in which parts of one its numbers are.
_PARAMETERS = {
    "libx264": ("x264-params", "mastering-display", "cll", (50_000, 10_000)),
    "libx265": ("x265-params", "master-display", "max-cll", (50_000, 10_000)),
    "libsvtav1": ("svtav1-params", "mastering-display", "content-light", (None, None)),
}


@dataclass(frozen=True, slots=True)
class Display:
    """x and y of red, green, blue and white; the least and the greatest luminance in candela a square metre."""

    colours: tuple[tuple[Fraction, Fraction], ...]
    least: Fraction
    greatest: Fraction


def display_of(mastering: bytes | None) -> Display | None:
    """None where the film says nothing, or not all of it."""
    if mastering is None or len(mastering) != _DISPLAY.size:
        return None
    *numbers, colours_said, luminance_said = _DISPLAY.unpack(mastering)
    if not (colours_said and luminance_said) or 0 in numbers[1::2]:
        return None
    values = [Fraction(above, below) for above, below in zip(numbers[::2], numbers[1::2], strict=True)]
    return Display(tuple(zip(values[:8:2], values[1:8:2], strict=True)), values[8], values[9])


def light_of(light: bytes | None) -> tuple[int, int] | None:
    """The brightest pixel, and the brightest picture on average, in candela a square metre."""
    if light is None or len(light) != _LIGHT.size:
        return None
    most, average = _LIGHT.unpack(light)
    return most, average


def encoder_options(encoder: str, mastering: bytes | None, light: bytes | None) -> dict[str, str]:
    """What encoders are told that write it among the pictures."""
    if encoder not in _PARAMETERS:
        return {}
    option, display_name, light_name, units = _PARAMETERS[encoder]
    words = []
    if (display := display_of(mastering)) is not None:
        words.append(f"{display_name}={_as_words(display, *units)}")
    if (brightest := light_of(light)) is not None:
        words.append(f"{light_name}={brightest[0]},{brightest[1]}")
    if words and encoder == "libx265":
        words.append("hdr10=1")
    return {option: ":".join(words)} if words else {}


def _as_words(display: Display, colour_units: int | None, luminance_units: int | None) -> str:
    """In units of so many to one; None for decimal fractions."""

    def number(value: Fraction, units: int | None) -> str:
        return f"{float(value):.8f}".rstrip("0").rstrip(".") if units is None else str(round(value * units))

    red, green, blue, white = (f"({number(x, colour_units)},{number(y, colour_units)})" for x, y in display.colours)
    luminances = f"({number(display.greatest, luminance_units)},{number(display.least, luminance_units)})"
    return f"G{green}B{blue}R{red}WP{white}L{luminances}"


def tell_container(stream: VideoStream, encoder: str, mastering: bytes | None, light: bytes | None) -> None:
    """Let the file say it too, which is the only place for it where a codec has none.

    PyAV passes nothing of that kind on but what it has read itself: so it reads the head of a film that says the same.
    """
    display, brightest = display_of(mastering), light_of(light)
    if (display is None and brightest is None) or encoder not in _MATROSKA_CODECS:
        return
    av = import_av()
    with av.open(io.BytesIO(_head(_MATROSKA_CODECS[encoder], display, brightest)), format="matroska") as said:
        av.BitStreamFilterContext("null", in_stream=said.streams[0], out_stream=stream)


def _head(codec: bytes, display: Display | None, light: tuple[int, int] | None) -> bytes:
    """Of a Matroska file of one stream of pictures."""
    colour = b""
    if light is not None:
        colour += _element(0x55BC, struct.pack(">I", light[0])) + _element(0x55BD, struct.pack(">I", light[1]))
    if display is not None:
        numbers = [*(value for point in display.colours for value in point), display.greatest, display.least]
        points = b"".join(_element(0x55D1 + place, struct.pack(">d", value)) for place, value in enumerate(numbers))
        colour += _element(0x55D0, points)
    size = _element(0xB0, b"\x10") + _element(0xBA, b"\x10")
    pictures = _element(0xE0, size + _element(0x55B0, colour))
    track = _element(0xD7, b"\x01") + _element(0x73C5, b"\x01") + _element(0x83, b"\x01") + _element(0x86, codec)
    tracks = _element(0x1654AE6B, _element(0xAE, track + pictures))
    pictures_begin = _element(0x1F43B675, _element(0xE7, b"\x00"))
    return _element(0x1A45DFA3, _element(0x4282, b"matroska")) + _element(0x18538067, tracks + pictures_begin)


def _element(name: int, content: bytes) -> bytes:
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + b"\x01" + len(content).to_bytes(7, "big") + content
