"""A film in and out, as a user does it: read by BestSource, through the filter in vspipe, encoded by FFmpeg.

What it has to hold is computed by `Model.enhance` from the film's values, with the colours of ITU-R BT.709.
"""

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from colour_frames import LIMITED, shown, stored
from ffmpeg import ffmpeg
from in_vapoursynth import in_vapoursynth
from onnx_models import conv_stack, save

import dni_runtime
from dni_deploy.demo import PHOTOGRAPH
from dni_deploy.image_files.read_write import read_image

SCRIPT = Path(__file__).parents[2] / "support" / "vapoursynth" / "film.vpy"
COUNT, HEIGHT, WIDTH, RATE = 23, 48, 64, 10
BT709 = 1
MARKS = ("-vf", "setparams=colorspace=bt709:range=tv:color_primaries=bt709:color_trc=bt709", "-color_range", "tv")

Planes = npt.NDArray[np.int64]


@pytest.fixture(scope="module")
def shot() -> Planes:
    """Frames that travel over a photograph, (N, H, W, 3), Y, Cb and Cr of 8 bits."""
    photograph = read_image(PHOTOGRAPH) / 255
    frames = [photograph[3 * n : 3 * n + HEIGHT, 5 * n : 5 * n + WIDTH] for n in range(COUNT)]
    return stored(np.stack(frames), BT709, LIMITED, 8)


@pytest.fixture(scope="module")
def film(shot: Planes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4:4:4, every value as it is, and a sound."""
    folder = tmp_path_factory.mktemp("film")
    (folder / "film.raw").write_bytes(shot.transpose(0, 3, 1, 2).astype(np.uint8).tobytes())
    pictures = (
        "-f",
        "rawvideo",
        "-pix_fmt",
        "yuv444p",
        "-s",
        f"{WIDTH}x{HEIGHT}",
        "-r",
        RATE,
        "-i",
        folder / "film.raw",
    )
    sound = ("-f", "lavfi", "-i", f"sine=duration={COUNT / RATE}")
    ffmpeg(*pictures, *sound, *MARKS, "-c:v", "ffv1", "-level", 3, "-c:a", "flac", folder / "film.mkv")
    return folder / "film.mkv"


def read(place: Path) -> tuple[Planes, tuple[int, int, float]]:
    """All frames, (N, H, W, 3), and what the film says of itself: matrix, range, frames a second."""
    with av.open(place) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="yuv444p").transpose(1, 2, 0) for frame in container.decode(stream)]
        marks = stream.codec_context.colorspace, stream.codec_context.color_range, float(stream.average_rate or 0)
        return np.stack(frames).astype(np.int64), marks


@pytest.mark.parametrize(("scale", "streams", "requests"), [(2, 1, 8), (1, 2, 3)])
def test_a_film_in_and_out(film: Path, shot: Planes, tmp_path: Path, scale: int, streams: int, requests: int):
    """Alpha is another one at every frame: frames in another order, or with another's alpha, are other pictures."""
    model = save(conv_stack(scale=scale), tmp_path / "model.onnx")
    piped, made = tmp_path / "film.y4m", tmp_path / "made.mkv"
    options = [f"{name}={value}" for name, value in {"source": film, "model": model, "streams": streams}.items()]
    arguments = [word for option in options for word in ("-a", option)]
    result = in_vapoursynth(
        "vspipe", "-c", "y4m", "-r", requests, *arguments, SCRIPT, piped, XDG_CONFIG_HOME=str(tmp_path)
    )
    assert result.code == 0, result.err
    ffmpeg("-i", piped, "-i", film, "-map", "0:v", "-map", "1:a", "-c:a", "copy", *MARKS, "-c:v", "ffv1", made)

    frames, marks = read(made)
    with dni_runtime.load(model, "cpu") as loaded:
        rgb = shown(shot, BT709, LIMITED, 8).clip(0, 1).astype(np.float32)
        wanted = np.stack([loaded.enhance(picture, n % 5 / 4) for n, picture in enumerate(rgb)])
    apart = np.abs(stored(wanted, BT709, LIMITED, 8) - frames)
    # Values just between two steps are rounded to either.
    assert apart.max() <= 1 and np.count_nonzero(apart) <= 1e-3 * apart.size
    assert marks == (BT709, LIMITED, RATE)
    with av.open(film) as before, av.open(made) as after:
        sounds = [[bytes(packet) for packet in each.demux(audio=0)] for each in (before, after)]
    assert sounds[0] == sounds[1] and len(sounds[0]) > 2


def test_frames_of_the_reference_are_told_apart(shot: Planes, tmp_path: Path):
    """What the test above would let through: nothing but the same frame with the same alpha."""
    rgb = shown(shot, BT709, LIMITED, 8).clip(0, 1).astype(np.float32)
    with dni_runtime.load(save(conv_stack(), tmp_path / "m.onnx"), "cpu") as model:
        right, frame, alpha = (
            stored(model.enhance(rgb[number], alpha), BT709, LIMITED, 8)
            for number, alpha in ((5, 0.0), (6, 0.0), (5, 0.25))
        )
    for wrong in (frame, alpha):
        assert np.count_nonzero(np.abs(right - wrong)) > 0.1 * right.size
