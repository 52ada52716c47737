"""Without loss, frames that the encoder gets are those that FFmpeg reads of the new film, in every pixel format."""

import dataclasses
from pathlib import Path

import av
import ffmpeg
import numpy as np
import pytest
from films import film

from dni_deploy.films.colours.planes import plane
from dni_deploy.films.source.probe import look_at
from dni_deploy.films.target.choose import choose_encoding
from dni_deploy.films.target.codecs import CODECS
from dni_deploy.films.target.join import join
from dni_deploy.films.target.options import Asked
from dni_deploy.films.target.part_file import PartFile
from dni_deploy.films.target.pixels import pixels_of

CASES = [
    (codec, suffix, pixels)
    for codec, suffix, formats in (
        ("h264", ".mp4", ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p10le", "rgb24")),
        ("h265", ".mp4", ("yuv420p", "yuv444p10le", "yuv422p12le", "gbrp", "gbrp12le", "gray", "gray10le")),
        ("vp9", ".webm", ("yuv420p", "yuv422p", "yuv444p", "gbrp", "yuva420p")),
        ("ffv1", ".mkv", ("yuv420p", "yuv422p10le", "yuv444p16le", "gbrp10le", "bgra", "gray16le", "yuva444p10le")),
    )
    for pixels in formats
]


@pytest.mark.parametrize(("codec", "suffix", "pixels"), CASES)
def test_noise_comes_back_exactly(codec: str, suffix: str, pixels: str, tmp_path: Path):
    source = look_at(film("one_frame"))
    source = dataclasses.replace(source, video=dataclasses.replace(source.video, pixels=pixels))
    asked, result = Asked(codec, lossless=True, pixel_format=pixels), tmp_path / f"film{suffix}"
    encoding = choose_encoding(source, result, asked, (96, 64))
    (depth,) = {each.depth for each in pixels_of(encoding.encoder) if each.name == pixels}
    noise = np.random.default_rng(1)
    frame = av.VideoFrame(96, 64, pixels)
    for number in range(len(frame.planes)):
        values = plane(frame, number)
        values[...] = noise.integers(0, 1 << depth, values.shape, values.dtype)
    frame.pts = 0
    expected = b"".join(np.ascontiguousarray(plane(frame, number)).tobytes() for number in range(len(frame.planes)))

    with PartFile(tmp_path / "part", encoding) as file:
        file.write(frame)
    join([tmp_path / "part"], source, encoding, result)

    decoder = ["-c:v", "libvpx-vp9"] if pixels == "yuva420p" else []
    assert ffmpeg.ffmpeg(*decoder, "-i", result, "-f", "rawvideo", "-pix_fmt", pixels, "-") == expected


@pytest.mark.parametrize("codec", CODECS)
def test_every_format_that_is_offered_can_be_encoded(codec: str):
    """What FFmpeg lists and does not take is left out."""
    source = look_at(film("one_frame"))
    for pixels in pixels_of(CODECS[codec].encoder):
        suffix = ".mov" if codec == "prores" else ".mkv"
        assert choose_encoding(source, Path(f"a{suffix}"), Asked(codec, pixel_format=pixels.name), (96, 64))
