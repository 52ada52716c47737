"""What a film loses on its way through a network that returns its input: by colours, by sampling, and by codec."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from ffmpeg import EXACT, encode, ffmpeg, planes
from footage import RATE, SIZE, shots
from numpy.typing import NDArray

import dni_deploy

_MATRICES = {"601": ("smpte170m", "smpte170m"), "709": ("bt709", "bt709"), "2020": ("bt2020nc", "bt2020")}
_RANGES = {"limited": "tv", "full": "pc"}
_SAMPLINGS = (
    *("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"),
    *("gray", "gray10le", "gbrp", "gbrp10le"),
)
FRAMES = 4
_FFV1 = ("-c:v", "ffv1", "-level", "3")
CODECS = {"h264": ".mp4", "h265": ".mp4", "vp9": ".webm", "av1": ".webm", "prores": ".mov", "ffv1": ".mkv"}


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of bars and ramps: the largest difference from FFmpeg's RGB of the source, in steps of 255.

    seen:     of what the network sees, kept as RGB. `returned`: of the film that is made of it.
    """

    matrix: str
    range: str
    bits: int
    seen: int
    returned: int


@dataclass(frozen=True, slots=True)
class Sampling:
    """A lossless film: the largest difference in its own steps, and the share of samples that differ.

    ffmpeg_largest, ffmpeg_share: the same of FFmpeg's own way to RGB of 16 bits and back.
    """

    pixels: str
    largest: int
    share: float
    ffmpeg_largest: int
    ffmpeg_share: float


@dataclass(frozen=True, slots=True)
class Codec:
    """The grainy film as each codec's defaults write it; psnr_db: of RGB, beside the source."""

    codec: str
    fps: float
    megabytes: float
    psnr_db: float


def charts(model: Path, folder: Path) -> Iterator[Chart]:
    source, seen, returned = (folder / f"chart{name}.mkv" for name in ("", "_seen", "_returned"))
    for matrix, limits, bits in product(_MATRICES, _RANGES, (8, 10)):
        _draw(source, matrix, _RANGES[limits], bits)
        dni_deploy.enhance_film(model, source, seen, codec="ffv1", pixel_format="bgr0", overwrite=True)
        dni_deploy.enhance_film(model, source, returned, lossless=True, overwrite=True)
        wanted = _rgb(source)
        yield Chart(matrix, limits, bits, *(int(np.abs(_rgb(film) - wanted).max()) for film in (seen, returned)))


def _rgb(film: Path) -> NDArray[np.int16]:
    """Of 8 bits: FFmpeg's white of 16 bits is 65280 where the source has 8."""
    return planes(film, "rgb24", f"scale={EXACT}").astype(np.int16)


def _draw(film: Path, matrix: str, limits: str, bits: int) -> None:
    name, primaries = _MATRICES[matrix]
    bars = [word for chart in ("smptebars", "rgbtestsrc") for word in ("-f", "lavfi", "-i", f"{chart}=size=192x64")]
    filters = (
        f"[0][1]vstack,format=gbrp,scale=out_color_matrix={name}:out_range={limits}:{EXACT},"
        f"format={'yuv444p' if bits == 8 else 'yuv444p10le'},"
        f"setparams=colorspace={name}:range={limits}:color_primaries={primaries}:color_trc=bt709"
    )
    # An encoder does not take the range from its frames.
    ffmpeg(*bars, "-filter_complex", filters, "-frames:v", 2, *_FFV1, "-color_range", limits, film)


def samplings(model: Path, folder: Path) -> Iterator[Sampling]:
    for pixels in _SAMPLINGS:
        source, result = folder / "sampled.mkv", folder / "sampled_returned.mkv"
        marks = "" if pixels.startswith("g") else ",setparams=colorspace=bt709:range=tv"
        filters = f"scale=out_color_matrix=bt709:{EXACT},format={pixels}{marks}"
        encode(shots(frames=FRAMES), SIZE, RATE, source, "-vf", filters, *_FFV1)
        dni_deploy.enhance_film(model, source, result, lossless=True, overwrite=True)
        wanted = planes(source, pixels).astype(np.int32)
        through = f"scale={EXACT},format=gbrp16le,scale=out_color_matrix=bt709:{EXACT},format={pixels}"
        ours, theirs = planes(result, pixels), planes(source, pixels, through)
        yield Sampling(pixels, *_apart(wanted, ours), *_apart(wanted, theirs))


def _apart(wanted: Any, found: Any) -> tuple[int, float]:
    difference = np.abs(wanted - found)
    return int(difference.max()), float(np.count_nonzero(difference) / difference.size)


def codecs(model: Path, film: Path, folder: Path) -> Iterator[Codec]:
    wanted = planes(film, "rgb24", f"scale={EXACT}").astype(np.float32)
    for codec, suffix in CODECS.items():
        result = folder / f"by_{codec}{suffix}"
        started = time.perf_counter()
        made = dni_deploy.enhance_film(model, film, result, codec=codec, overwrite=True)
        seconds = time.perf_counter() - started
        error = np.square(wanted - planes(result, "rgb24", f"scale={EXACT}")).mean()
        yield Codec(codec, made.frames / seconds, result.stat().st_size / 1e6, 10 * float(np.log10(255**2 / error)))
