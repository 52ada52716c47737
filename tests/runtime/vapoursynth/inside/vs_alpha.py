"""Alpha as a number, a function, a property, a clip; what does not fit is refused where it is known."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs
from onnx_models import METADATA, conv_stack, save
from vs_clips import clip_of, pixels, with_property
from with_knobs import with_knob

import dni_runtime
from dni_runtime.vapoursynth import enhance

FRAMES = np.random.default_rng(0).random((4, 64, 72, 3), np.float32)
SOURCE = clip_of(FRAMES)


@pytest.fixture
def model(tmp_path: Path) -> Iterator[dni_runtime.Model]:
    metadata = replace(METADATA, calibration=dni_runtime.Calibration("noise", (1.0, 90.0), (0.0, 1.0)))
    proto = conv_stack(alpha_default=0.25, metadata=metadata)
    with dni_runtime.load(save(proto, tmp_path / "model.onnx"), "cpu") as model:
        yield model


@pytest.fixture
def knobs(tmp_path: Path) -> Iterator[dni_runtime.Model]:
    with dni_runtime.load(save(with_knob(), tmp_path / "knobs.onnx"), "cpu") as model:
        yield model


def first(clip: vs.VideoNode, n: int = 0) -> np.ndarray:
    with clip.get_frame(n) as frame:
        return pixels(frame)


def refused(message: str):
    return pytest.raises(vs.Error, match=re.escape(message))


def test_the_models_default(model: dni_runtime.Model):
    np.testing.assert_array_equal(first(enhance(SOURCE, model)), model.enhance(FRAMES[0], 0.25))


def test_the_one_that_fits_the_noise(model: dni_runtime.Model):
    expected = model.enhance(FRAMES[1], "auto")
    assert not np.array_equal(expected, model.enhance(FRAMES[1]))
    np.testing.assert_array_equal(first(enhance(SOURCE, model, "auto"), 1), expected)


def test_several_numbers(knobs: dni_runtime.Model):
    expected = knobs.enhance(FRAMES[0], (0.25, 0.75))
    for alpha in ((0.25, 0.75), {"alpha": 0.25, "late": 0.75}, lambda n: [0.25, 0.75]):
        np.testing.assert_array_equal(first(enhance(SOURCE, knobs, alpha)), expected)
    marked = with_property(SOURCE, "strengths", lambda n: [0.25, 0.75])
    np.testing.assert_array_equal(first(enhance(marked, knobs, "strengths")), expected)


def test_one_for_each_pixel(model: dni_runtime.Model):
    strengths = np.linspace(0, 1, 4 * 64 * 72, dtype=np.float32).reshape(4, 64, 72)
    clip = enhance(SOURCE, model, clip_of(strengths))
    for n in (2, 0):
        np.testing.assert_array_equal(first(clip, n), model.enhance(FRAMES[n], strengths[n]))


def test_what_is_known_is_refused_before_any_frame(model: dni_runtime.Model, knobs: dni_runtime.Model):
    strengths = clip_of(FRAMES[:, :, :, 0])
    changing = vs.core.std.Splice([strengths[:2], SOURCE[2:]], mismatch=True)
    for alpha, message in (
        (1.5, "alpha 1.5 is out of range; expected a finite number in 0..1"),
        ((0.1, 0.2), "alpha is (0.1, 0.2), 2 value(s); expected a finite number in 0..1"),
        ("0.5", "alpha is '0.5'; expected a number, a function of the frame's number, the name of a frame property"),
        (SOURCE, "alpha is a clip of RGBS; expected GRAYS of 72x64 and 4 frames, a strength for each pixel"),
        (changing, "alpha is a clip that changes its format; expected GRAYS of 72x64"),
        (strengths[:3], "alpha is a clip of 72x64 and 3 frames; expected GRAYS of 72x64 and 4 frames"),
        (strengths.std.CropRel(right=2), "alpha is a clip of 70x64 and 4 frames; expected GRAYS of 72x64"),
    ):
        with refused(message):
            enhance(SOURCE, model, alpha)
    with refused("knobs.onnx takes 2 numbers as alpha, which no image tells"):
        enhance(SOURCE, knobs, "auto")
    with refused("needs alpha, it has no default"):
        enhance(SOURCE, knobs)


def test_auto_of_a_model_calibrated_for_jpegs(tmp_path: Path):
    metadata = replace(METADATA, calibration=dni_runtime.Calibration("jpeg", (1.0, 90.0), (1.0, 0.0)))
    path = save(conv_stack(metadata=metadata), tmp_path / "jpeg.onnx")
    with refused("jpeg.onnx is calibrated for jpeg; expected noise"):
        enhance(SOURCE, path, "auto")


def test_a_baked_model_takes_its_own_alpha_alone(tmp_path: Path):
    path = save(dni_runtime.pin(conv_stack(), 0.3), tmp_path / "baked.onnx")
    with dni_runtime.load(path, "cpu") as model:
        np.testing.assert_array_equal(first(enhance(SOURCE, model)), model.enhance(FRAMES[0]))
        with refused("alpha is 0.5, but baked.onnx is baked for 0.3"):
            enhance(SOURCE, model, 0.5)


def test_errors_of_a_frame_name_it(model: dni_runtime.Model):
    def late(n: int) -> float:
        return 0.5 if n < 2 else 1 / (n - 2)

    marked = with_property(SOURCE[:2], "dni_alpha", lambda n: 0.5) + SOURCE[2:]
    for alpha, n, message in (
        (lambda n: n / 2, 3, "frame 3: alpha 1.5 is out of range; expected a finite number in 0..1"),
        (late, 2, "frame 2: the function that gives alpha failed: ZeroDivisionError: division by zero"),
        ("dni_alpha", 2, "frame 2: there is no frame property 'dni_alpha', from which alpha is taken; set it in every"),
        (clip_of(FRAMES[:, :, :, 0] + 0.5), 1, "frame 1: alpha 1."),
    ):
        clip = enhance(marked, model, alpha)
        with refused(message) as told:
            clip.get_frame(n)
        *_, last = str(told.value).rstrip().splitlines()  # after where it happened, as VapourSynth has it
        assert last.startswith("vapoursynth.Error: dni_runtime.vapoursynth.enhance: frame ")
    named = with_property(SOURCE, "dni_alpha", lambda n: "strong")
    with refused("frame 0: alpha is 'strong'; expected a finite number in 0..1"):
        enhance(named, model, "dni_alpha").get_frame(0)


def test_where_alpha_fails_is_shown(model: dni_runtime.Model):
    def faulty(n: int) -> float:
        raise KeyError("shots")

    with pytest.raises(vs.Error, match=r"in faulty\n(.*\n)*.*KeyError: 'shots'"):
        enhance(SOURCE, model, faulty).get_frame(0)
