"""Models that clips share, models that go with their clip, frames that are in the network at once; vspipe."""

import gc
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs
from onnx_models import METADATA, conv_stack, save
from vs_clips import clip_of

import dni_runtime
from dni_runtime.vapoursynth import enhance

FRAMES = np.random.default_rng(0).random((8, 30, 41, 3), np.float32)
SCRIPT = """
import sys
import numpy as np
import vapoursynth as vs
from vs_clips import clip_of
from dni_runtime.vapoursynth import enhance
enhance(clip_of(np.load("frames.npy")), "model.onnx", {alpha}, {options}).set_output()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return save(conv_stack(scale=2), tmp_path / "model.onnx")


def models() -> set[int]:
    return {id(each) for each in gc.get_objects() if isinstance(each, dni_runtime.Model)}


def test_clips_share_a_loaded_model(path: Path):
    with dni_runtime.load(path, "cpu") as model:
        clips = [enhance(clip_of(FRAMES), model, alpha) for alpha in (0.2, 0.9)]
        both = vs.core.std.Interleave(clips)
        for n, frame in enumerate(both.frames(prefetch=4)):
            expected = model.enhance(FRAMES[n // 2], (0.2, 0.9)[n % 2])
            np.testing.assert_array_equal(np.asarray(frame[1]), expected[:, :, 1])


@pytest.mark.parametrize("streams", [1, 2])
def test_a_model_goes_with_its_clip(path: Path, streams: int):
    """As scripts that an editor runs again and again want it; a frame that is still shown does not hold it."""
    gc.collect()
    before = models()
    gc.disable()  # freed at once, not when garbage is searched for
    try:
        clip = enhance(clip_of(FRAMES), path, lambda n: n / 8, provider="cpu", num_streams=streams)
        frame = clip.get_frame(3)
        assert len(models() - before) == 1
        del clip
        assert models() == before
        assert frame.width == 82
    finally:
        gc.enable()


@pytest.mark.parametrize("streams", [1, 2])
def test_so_many_frames_are_in_the_network_at_once(path: Path, streams: int):
    """Each waits until another has come, or time has shown that none does."""
    together, most, inside = threading.Condition(), 0, 0

    def alpha(n: int) -> float:
        nonlocal most, inside
        with together:
            inside += 1
            most = max(most, inside)
            together.notify_all()
            together.wait_for(lambda: most > 1, 30 if streams > 1 else 0.2)
            inside -= 1
        return 0.5

    clip = enhance(clip_of(FRAMES[:4]), path, alpha, provider="cpu", num_streams=streams)
    assert len(list(clip.frames(prefetch=4))) == 4
    assert most == streams


def vspipe(
    folder: Path, alpha: str, *requests: str, options: str = "provider='cpu'"
) -> subprocess.CompletedProcess[bytes]:
    (folder / "script.vpy").write_text(SCRIPT.format(alpha=alpha, options=options))
    np.save(folder / "frames.npy", FRAMES)
    environment = os.environ | {"XDG_CONFIG_HOME": str(folder)}
    programs = Path(sys.executable).parent
    subprocess.run([programs / "vapoursynth", "config"], env=environment, check=True, capture_output=True)
    command = [programs / "vspipe", *requests, folder / "script.vpy", "-"]
    return subprocess.run(command, env=environment, capture_output=True, timeout=100)


def test_vspipe_with_a_moving_alpha(path: Path, tmp_path: Path):
    result = vspipe(tmp_path, "lambda n: n / 8", "-r", "8")
    assert result.returncode == 0, result.stderr.decode()
    planes = np.frombuffer(result.stdout, np.float32).reshape(8, 3, 60, 82)
    with dni_runtime.load(path, "cpu") as model:
        for n, frame in enumerate(planes):
            expected = model.enhance(FRAMES[n], n / 8)
            np.testing.assert_array_equal(frame[[2, 0, 1]].transpose(1, 2, 0), expected)  # it writes G, B, R


@pytest.mark.parametrize(
    ("alpha", "message"),
    [
        (
            "2.0",
            r"Python exception: dni_runtime\.vapoursynth\.enhance: alpha 2 is out of range; expected a",
        ),
        (
            "lambda n: n / 4",
            r"vapoursynth\.Error: dni_runtime\.vapoursynth\.enhance: frame [567]: alpha 1\.[27]?5 is",
        ),
    ],
)
def test_what_vspipe_shows(path: Path, tmp_path: Path, alpha: str, message: str):
    result = vspipe(tmp_path, alpha)
    assert result.returncode == 1
    assert re.search(message, result.stderr.decode())


def test_what_is_chosen_is_a_message(tmp_path: Path):
    save(conv_stack(metadata=replace(METADATA, view="whole")), tmp_path / "model.onnx")
    result = vspipe(tmp_path, "0.5", options="tile=16")
    assert result.returncode == 0
    said = [line for line in result.stderr.decode().splitlines() if line.startswith("Information: ")]
    assert [line.partition("enhance: ")[2].partition(" ")[0] for line in said] == ["auto", "the"]
    assert "auto chose " in said[0]
    assert "the network looks at the whole image, so untiled (tile 0) is another picture" in said[1]
