"""A clip with `_Alpha`: opacity goes through as `enhance` does it, and comes back in the size of the result."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs
from numpy.typing import NDArray
from onnx_models import conv_stack, save
from vs_clips import clip_of, pixels, with_opacity

import dni_runtime
from dni_runtime.vapoursynth import enhance

FloatArray = NDArray[np.float32]
FRAMES = np.random.default_rng(0).random((2, 30, 41, 3), np.float32)
OPACITY = np.random.default_rng(1).random((2, 30, 41), np.float32) * 3 - 1  # a third is hidden, a third opaque
INTEGERS = {vs.GRAY8: 255, vs.GRAY10: 1023, vs.GRAY16: 65535}


@pytest.fixture(params=[1, 2])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dni_runtime.Model]:
    with dni_runtime.load(save(conv_stack(scale=request.param), tmp_path / "model.onnx"), "cpu") as model:
        yield model


def assert_opacity(clip: vs.VideoNode, n: int, expected: FloatArray) -> None:
    with clip.get_frame(n) as frame:
        opacity = frame.props["_Alpha"]
        assert opacity.format.id == vs.GRAYS
        np.testing.assert_array_equal(pixels(frame), expected[:, :, :3])
        np.testing.assert_array_equal(pixels(opacity), expected[:, :, 3])


def expected_of(model: dni_runtime.Model, n: int, opacity: FloatArray) -> FloatArray:
    return model.enhance(np.dstack([FRAMES[n], opacity]), 0.3)


def test_opacity(model: dni_runtime.Model):
    clip = enhance(with_opacity(clip_of(FRAMES), clip_of(OPACITY)), model, 0.3)
    for n in (0, 1):
        assert_opacity(clip, n, expected_of(model, n, OPACITY[n]))


@pytest.mark.parametrize("kind", INTEGERS)
def test_integers_over_their_whole_range(model: dni_runtime.Model, kind: int):
    white = INTEGERS[kind]
    integers = clip_of(OPACITY).resize.Point(format=kind, range_s="full")
    shares = [np.divide(pixels(frame), white, dtype=np.float32) for frame in integers.frames()]
    assert {float(shares[0].min()), float(shares[0].max())} == {0, 1}
    clip = enhance(with_opacity(clip_of(FRAMES), integers), model, 0.3)
    assert_opacity(clip, 1, expected_of(model, 1, shares[1]))


def test_grey(model: dni_runtime.Model):
    grey = FRAMES[:, :, :, 0]
    image = np.dstack([grey[0], grey[0], grey[0], OPACITY[0]])
    with enhance(with_opacity(clip_of(grey), clip_of(OPACITY)), model, 0.3).get_frame(0) as frame:
        expected = model.enhance(image, 0.3)
        np.testing.assert_array_equal(pixels(frame), expected[:, :, :3].mean(axis=2))
        np.testing.assert_array_equal(pixels(frame.props["_Alpha"]), expected[:, :, 3])


def test_frames_with_and_without(model: dni_runtime.Model):
    source = clip_of(FRAMES)
    clip = enhance(source + with_opacity(source, clip_of(OPACITY)), model, 0.3)
    with clip.get_frame(1) as frame:
        assert "_Alpha" not in frame.props
        np.testing.assert_array_equal(pixels(frame), model.enhance(FRAMES[1], 0.3))
    assert_opacity(clip, 3, expected_of(model, 1, OPACITY[1]))


def test_another_size_is_refused(model: dni_runtime.Model):
    wide = clip_of(FRAMES).resize.Bicubic(width=64)
    clip = enhance(with_opacity(wide, clip_of(OPACITY)), model, 0.3)
    with pytest.raises(vs.Error, match="frame 0: the frame's _Alpha is GrayS of 41x30; expected a grey one of 64x30"):
        clip.get_frame(0)
    remedy = clip_of(OPACITY).resize.Bicubic(width=64)
    with enhance(with_opacity(wide, remedy), model, 0.3).get_frame(0) as frame:
        assert frame.props["_Alpha"].width == frame.width


def test_another_kind_of_property_is_refused(model: dni_runtime.Model):
    clip = enhance(clip_of(FRAMES).std.SetFrameProps(_Alpha=1), model, 0.3)
    with pytest.raises(vs.Error, match="frame 0: the frame's _Alpha is 1; expected a grey frame"):
        clip.get_frame(0)
    with enhance(clip_of(FRAMES).std.SetFrameProps(_Alpha=1).std.RemoveFrameProps("_Alpha"), model, 0.3).get_frame(0):
        pass


def test_properties_of_opacity_are_kept(model: dni_runtime.Model):
    opacity = clip_of(OPACITY).std.SetFrameProps(_Range=1, drawn="by hand")
    with enhance(with_opacity(clip_of(FRAMES), opacity), model, 0.3).get_frame(0) as frame:
        assert frame.props["_Alpha"].props["drawn"] == "by hand"
