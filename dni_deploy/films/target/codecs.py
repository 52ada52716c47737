"""The codecs that a film can be encoded in: where each is at home, and what its encoder is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dni_deploy.films.colours.pixel_format import PixelFormat

_SPEEDS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")


@dataclass(frozen=True, slots=True)
class Codec:
    """What can be asked of a codec.

    encoder:    FFmpeg's name of it; `rgb_encoder` where RGB takes another.
    containers: which hold it and are played with it.
    crf:        the constant quality without `--crf`, by which photographs keep 46 to 50 dB, and the worst there is;
                None where there is none to choose.
    presets:    from fast to slow or the other way round; `preset` is the one without `--preset`.
    lossless:   what is told in place of the quality; None where it cannot be; empty where it is always so.
    keeps:      whether it is for keeping: pixels are stored as the film's are, not as all players know them.
    even:       whether sides have to be even where colours are coarser than brightness.
    options:    what the encoder is told besides, by the pixel format.
    """

    encoder: str
    containers: tuple[str, ...]
    options: Callable[[PixelFormat], dict[str, str]]
    crf: tuple[float, float] | None = None
    presets: tuple[str, ...] = ()
    preset: str = ""
    preset_option: str = "preset"
    lossless: dict[str, str] | None = None
    keeps: bool = False
    even: bool = False
    rgb_encoder: str | None = None


def _x264(pixels: PixelFormat) -> dict[str, str]:
    return {}


def _x265(pixels: PixelFormat) -> dict[str, str]:
    # The number of frames at once changes what it makes; groups of pictures stand for themselves, as Apple wants it.
    return {"x265-params": "log-level=error:frame-threads=2:open-gop=0"}


def _svt_av1(pixels: PixelFormat) -> dict[str, str]:
    return {"g": "240"}


def _vp9(pixels: PixelFormat) -> dict[str, str]:
    # With opacity there is no room for frames that are not shown.
    return {"b": "0", "deadline": "good", "row-mt": "1", "auto-alt-ref": "0" if pixels.opacity else "1"}


def _ffv1(pixels: PixelFormat) -> dict[str, str]:
    # As archives want it: every frame for itself, and its pieces say whether they are whole.
    return {"level": "3", "g": "1", "slicecrc": "1"}


def _prores(pixels: PixelFormat) -> dict[str, str]:
    return {"profile": "hq" if pixels.across == 2 else "4444", "vendor": "apl0"}


CODECS = {
    "h264": Codec(
        "libx264",
        ("mp4", "mov", "matroska"),
        _x264,
        crf=(16, 51),
        presets=_SPEEDS,
        preset="medium",
        lossless={"qp": "0"},
        even=True,
        rgb_encoder="libx264rgb",
    ),
    "h265": Codec(
        "libx265",
        ("mp4", "mov", "matroska"),
        _x265,
        crf=(18, 51),
        presets=_SPEEDS,
        preset="medium",
        lossless={"x265-params": "lossless=1"},
        even=True,
    ),
    "av1": Codec(
        "libsvtav1",
        ("mp4", "webm", "matroska"),
        _svt_av1,
        crf=(20, 63),
        presets=tuple(map(str, range(14))),
        preset="8",
    ),
    "vp9": Codec(
        "libvpx-vp9",
        ("webm", "mp4", "matroska"),
        _vp9,
        crf=(16, 63),
        presets=tuple(map(str, range(9))),
        preset="4",
        preset_option="cpu-used",
        lossless={"lossless": "1"},
    ),
    "ffv1": Codec("ffv1", ("matroska",), _ffv1, lossless={}, keeps=True),
    "prores": Codec("prores_ks", ("mov", "matroska"), _prores, keeps=True),
}
"""By the names of `--codec`."""
