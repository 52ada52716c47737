"""Which clips are taken, what is said of the others, and what stays as it is."""

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs
from onnx_models import conv_stack, save, tinted
from vs_clips import clip_of

import dni_runtime
from dni_runtime.vapoursynth import enhance

core = vs.core
RGB = core.std.BlankClip(format=vs.RGBS, width=64, height=48, length=3, color=[0.1, 0.5, 0.9])
REMEDY = re.compile(r"expected RGBS or GRAYS: (clip\.resize\..*)$")


@pytest.fixture
def model(tmp_path: Path) -> Iterator[dni_runtime.Model]:
    with dni_runtime.load(save(conv_stack(scale=2), tmp_path / "model.onnx"), "cpu") as model:
        yield model


def refused(message: str):
    return pytest.raises(vs.Error, match=re.escape(message))


@pytest.mark.parametrize(
    "kind",
    [vs.YUV420P8, vs.YUV422P10, vs.YUV444PS, vs.YUV420PH, vs.RGB24, vs.RGB48, vs.RGBH, vs.GRAY8, vs.GRAY16, vs.GRAYH],
)
@pytest.mark.parametrize("height", [576, 720])
def test_the_call_that_helps_is_told_and_helps(model: dni_runtime.Model, kind: int, height: int):
    clip = core.std.BlankClip(format=kind, width=64, height=height, length=1)
    with pytest.raises(vs.Error) as told:
        enhance(clip, model, 0.3)
    text = str(told.value)
    assert text.startswith(f"dni_runtime.vapoursynth.enhance: clip is {clip.format.name}; expected RGBS or GRAYS: ")
    if clip.format.color_family == vs.YUV:
        assert ('"170m"' if height == 576 else '"709"') in text
    (remedy,) = REMEDY.findall(text)
    helped = eval(remedy, {"clip": clip, "vs": vs})
    with enhance(helped, model, 0.3).get_frame(0) as frame:
        assert (frame.width, frame.height) == (128, 2 * height)


def test_what_changes_within_a_clip_is_refused(model: dni_runtime.Model):
    small, grey = core.std.BlankClip(RGB, width=32), core.std.BlankClip(RGB, format=vs.GRAYS)
    with refused("clip changes its format; expected RGBS or GRAYS: "):
        enhance(core.std.Splice([RGB, grey], mismatch=True), model, 0.3)
    with refused("clip changes its size; expected one size: "):
        enhance(core.std.Splice([RGB, small], mismatch=True), model, 0.3)
    with refused("clip is of type NoneType; expected a clip of RGBS or GRAYS"):
        enhance(None, model, 0.3)
    with refused("clip is of type AudioNode; expected a clip of RGBS or GRAYS"):
        enhance(core.std.BlankAudio(length=1), model, 0.3)


def test_interlaced_frames_are_refused(model: dni_runtime.Model):
    clip = enhance(RGB[0] + RGB.std.SetFieldBased(2), model, 0.3)
    clip.get_frame(0)
    with refused("frame 1: the frame is interlaced (_FieldBased is 2); expected a progressive one: deinterlace"):
        clip.get_frame(1)
    fields = RGB.std.SetFieldBased(2).std.SeparateFields()
    with enhance(fields, model, 0.3).get_frame(1) as frame:
        assert frame.props["_Field"] == 0


def test_rate_length_and_properties_are_kept(model: dni_runtime.Model):
    properties = {
        "_SARNum": 8,
        "_SARDen": 9,
        "_Matrix": 0,
        "_Primaries": 9,
        "_Transfer": 16,
        "_Range": 1,
        "own": [1, 2],
    }
    source = core.std.AssumeFPS(RGB, fpsnum=24000, fpsden=1001).std.SetFrameProps(**properties, text="a", number=0.5)
    clip = enhance(source, model, 0.3)
    assert (clip.fps, clip.num_frames, clip.width, clip.height) == (Fraction(24000, 1001), 3, 128, 96)
    assert dict(clip.get_frame(2).props) == dict(source.get_frame(2).props)
    uneven = core.std.Splice([RGB, core.std.AssumeFPS(RGB, fpsnum=50)])
    assert uneven.fps == 0
    clip = enhance(uneven, model, 0.3, num_streams=2)
    assert (clip.fps, clip.num_frames) == (0, 6)
    assert [frame.props["_DurationDen"] for frame in clip.frames()] == [24] * 3 + [50] * 3


def test_arguments_that_make_no_sense(model: dni_runtime.Model, tmp_path: Path):
    (tmp_path / "text.onnx").write_text("no model")
    for arguments, message in (
        ({"num_streams": 0}, "num_streams is 0; expected a whole number in 1..64"),
        ({"num_streams": 1.5}, "num_streams is 1.5; expected a whole number"),
        ({"provider": "cpu"}, "provider is 'cpu' and threads is None beside a loaded model"),
        ({"threads": 2}, "provider is None and threads is 2 beside a loaded model"),
        ({"tile": -1}, "tile is -1; expected 0 or more pixels"),
        ({"tile": 16, "overlap": 8}, "tile 16 is too small for overlap 8"),
        ({"model": tmp_path / "missing.onnx"}, "missing.onnx does not exist; expected an .onnx file"),
        ({"model": str(tmp_path / "text.onnx")}, "text.onnx"),
        ({"model": tmp_path / "missing.onnx", "provider": "gpu"}, "missing.onnx does not exist"),
    ):
        with refused(message):
            enhance(**{"clip": RGB, "model": model, "alpha": 0.3} | arguments)


def test_what_the_network_cannot_take_is_said_of_the_frame(model: dni_runtime.Model, tmp_path: Path):
    broken = clip_of(np.full((1, 8, 8, 3), np.nan, np.float32))
    with refused("frame 0: the image holds NaN or infinite values"):
        enhance(broken, model, 0.3).get_frame(0)
    clip = enhance(RGB, save(tinted(), tmp_path / "tinted.onnx"), 0.3, provider="cpu")
    assert clip.get_frame(0).width == 64
    model.close()
    with refused("model.onnx is closed; load it again"):
        enhance(RGB, model, 0.3).get_frame(0)
