"""A film in and out by the page's own script and command: BestSource, the filter in vspipe, FFmpeg.

What it has to hold is computed by `Model.enhance` from the film's values, with the colours of ITU-R BT.709.
"""

import os
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
import pytest
from colour_frames import LIMITED, shown, stored
from commands import process
from documents import ROOT, read_blocks
from ffmpeg import ffmpeg
from in_vapoursynth import need_vapoursynth
from left_out import ROOTS
from onnx_models import conv_stack, save

import dni_runtime
from dni_deploy.demo import PHOTOGRAPH
from dni_deploy.image_files.read_write import read_image

PAGE = ROOT / "docs" / "how-to" / "vapoursynth.md"
COUNT, HEIGHT, WIDTH, RATE = 23, 48, 64, 10
BT709 = 1

Planes = npt.NDArray[np.int64]


@pytest.fixture(scope="module")
def shot() -> Planes:
    """Frames that travel over a photograph, (N, H, W, 3), Y, Cb and Cr of 8 bits."""
    photograph = read_image(PHOTOGRAPH) / 255
    frames = [photograph[3 * n : 3 * n + HEIGHT, 5 * n : 5 * n + WIDTH] for n in range(COUNT)]
    return stored(np.stack(frames), BT709, LIMITED, 8)


def film(place: Path, shot: Planes) -> Path:
    """H.264, 4:4:4, every value as it is, and a sound."""
    raw = place.with_suffix(".raw")
    raw.write_bytes(shot.transpose(0, 3, 1, 2).astype(np.uint8).tobytes())
    pictures = ("-f", "rawvideo", "-pix_fmt", "yuv444p", "-s", f"{WIDTH}x{HEIGHT}", "-r", RATE, "-i", raw)
    sound = ("-f", "lavfi", "-i", f"sine=duration={COUNT / RATE}")
    marks = ("-vf", "setparams=colorspace=bt709:range=tv:color_primaries=bt709:color_trc=bt709")
    ffmpeg(*pictures, *sound, *marks, "-c:v", "libx264", "-qp", 0, "-c:a", "aac", place)
    return place


def read(place: Path) -> tuple[Planes, tuple[int, int, float], list[bytes]]:
    """All frames, (N, H, W, 3); what the film says of itself: matrix, range, frames a second; and its sound."""
    with av.open(place) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="yuv444p").transpose(1, 2, 0) for frame in container.decode(stream)]
        marks = stream.codec_context.colorspace, stream.codec_context.color_range, float(stream.average_rate or 0)
    with av.open(place) as container:
        return np.stack(frames).astype(np.int64), marks, [bytes(packet) for packet in container.demux(audio=0)]


def changed(text: str, before: str, after: str) -> str:
    assert text.count(before) == 1, (before, text)
    return text.replace(before, after)


@pytest.mark.parametrize(("scale", "strength", "requests"), [
    (2, "alpha=lambda n: n % 5 / 4", "-c"),
    (1, "alpha=lambda n: n % 5 / 4, num_streams=2", "-r 8 -c"),
])  # fmt: skip
def test_a_film_in_and_out(shot: Planes, tmp_path: Path, scale: int, strength: str, requests: str):
    """Alpha is another one at every frame: frames in another order, or with another's alpha, are other pictures."""
    blocks = read_blocks(PAGE)
    script = next(block.text for block in blocks if block.language == "python")
    (tmp_path / "film.vpy").write_text(changed(script, "alpha=0.4", strength))
    command = next(block.text for block in blocks if "vspipe -c y4m" in block.text)
    model, source = save(conv_stack(scale=scale), tmp_path / "denoise.onnx"), film(tmp_path / "film.mp4", shot)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    result = process(
        [
            "bash",
            "-o",
            "pipefail",
            "-c",
            changed(changed(command, "vspipe -c", f"vspipe {requests}"), "-crf 16", "-qp 0"),
        ],
        cwd=tmp_path,
        PATH=os.pathsep.join(map(str, (programs, need_vapoursynth(), os.environ["PATH"]))),
        PYTHONPATH=os.pathsep.join(map(str, ROOTS)),
        XDG_CONFIG_HOME=str(tmp_path),
    )
    assert result.code == 0, result.err

    frames, marks, sound = read(tmp_path / "clean.mp4")
    with dni_runtime.load(model, "cpu") as loaded:
        rgb = shown(shot, BT709, LIMITED, 8).clip(0, 1).astype(np.float32)
        wanted = np.stack([loaded.enhance(picture, n % 5 / 4) for n, picture in enumerate(rgb)])
    apart = np.abs(stored(wanted, BT709, LIMITED, 8) - frames)
    # Values just between two steps are rounded to either.
    assert apart.max() <= 1 and np.count_nonzero(apart) <= 1e-3 * apart.size
    assert marks == (BT709, LIMITED, RATE)
    assert sound == read(source)[2] and len(sound) > 2


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
