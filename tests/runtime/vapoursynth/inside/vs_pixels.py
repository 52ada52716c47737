"""Bit for bit what `enhance` makes of each frame, whatever the order in which frames are asked for."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs
from numpy.typing import NDArray
from onnx_models import conv_stack, save, unet
from vs_clips import clip_of, pixels, with_property

import dni_runtime
from dni_runtime.vapoursynth import enhance

# As saturated colours of a film are: beyond 0..1. A width at which VapourSynth's rows end in padding.
FRAMES = np.random.default_rng(0).random((12, 30, 41, 3), np.float32) * 1.4 - 0.2
KINDS = {
    "rgb": conv_stack(),
    "double": conv_stack(scale=2),
    "half": conv_stack(scale=0.5),
    "grey": conv_stack(channels=1, scale=2),
    "padded": unet(),
    "silent": conv_stack(scale=2, metadata=None),
}
Load = Callable[[str], dni_runtime.Model]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    models = []

    def load(kind: str) -> dni_runtime.Model:
        models.append(dni_runtime.load(save(KINDS[kind], tmp_path / f"{kind}.onnx"), "cpu"))
        return models[-1]

    yield load
    for model in models:
        model.close()


def alpha_at(n: int) -> float:
    return n / 16


def assert_frames(clip: vs.VideoNode, expected: list[NDArray[np.float32]], prefetch: int = 4) -> None:
    np.testing.assert_array_equal([pixels(frame) for frame in clip.frames(prefetch=prefetch)], expected)


@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("prefetch", [1, 8])
def test_alpha_that_moves(load: Load, streams: int, prefetch: int):
    model, source = load("double"), clip_of(FRAMES)
    expected = [model.enhance(frame, alpha_at(n)) for n, frame in enumerate(FRAMES)]
    assert_frames(enhance(source, model, alpha_at, num_streams=streams), expected, prefetch)
    marked = with_property(source, "dni_alpha", alpha_at)
    assert_frames(enhance(marked, model, "dni_alpha", num_streams=streams), expected, prefetch)


@pytest.mark.parametrize("streams", [1, 2])
def test_frames_in_any_order(load: Load, streams: int):
    model = load("double")
    clip = enhance(clip_of(FRAMES), model, alpha_at, num_streams=streams)
    order = [7, 7, 0, 11, 3, 10, 2]
    for n, future in [(n, clip.get_frame_async(n)) for n in order]:
        np.testing.assert_array_equal(pixels(future.result()), model.enhance(FRAMES[n], alpha_at(n)))
    backwards = [model.enhance(FRAMES[n], alpha_at(n)) for n in reversed(range(len(FRAMES)))]
    assert_frames(clip.std.Reverse(), backwards)
    assert_frames(clip[2:5] + clip[8], [model.enhance(FRAMES[n], alpha_at(n)) for n in (2, 3, 4, 8)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grey", [False, True])
def test_every_kind_of_network(load: Load, kind: str, grey: bool):
    model, frames = load(kind), FRAMES[:2, :, :, 0] if grey else FRAMES[:2]
    clip = enhance(clip_of(frames), model, 0.3)
    expected = [model.enhance(np.ascontiguousarray(frame), 0.3) for frame in frames]
    assert (clip.height, clip.width) == expected[0].shape[:2]
    assert clip.format.id == (vs.GRAYS if grey else vs.RGBS)
    assert_frames(clip, expected)


def test_it_is_the_network_itself(load: Load):
    """What goes in and what comes out is clamped, and nothing else is done."""
    model = load("double")
    x = np.clip(FRAMES[0], 0, 1).transpose(2, 0, 1)[None]
    with enhance(clip_of(FRAMES), model, 0.3).get_frame(0) as frame:
        np.testing.assert_array_equal(pixels(frame), np.clip(model(x, 0.3)[0], 0, 1).transpose(1, 2, 0))


def test_tiles(load: Load):
    model = load("rgb")
    expected = [model.enhance(frame, 0.3, tile=16, overlap=1) for frame in FRAMES[:2]]
    assert not np.array_equal(expected[0], model.enhance(FRAMES[0], 0.3))  # that overlap is too small for the network
    assert_frames(enhance(clip_of(FRAMES[:2]), model, 0.3, tile=16, overlap=1), expected)


def test_rounded_as_integers_are(load: Load):
    """A film of 8 bits through float frames and back differs nowhere from its pictures, enhanced as integers."""
    model = load("double")
    picture = np.random.default_rng(1).integers(0, 256, (30, 41, 3), np.uint8)
    source = clip_of(np.divide(picture, 255, dtype=np.float32)[None]).resize.Point(format=vs.RGB24)
    clip = enhance(source.resize.Point(format=vs.RGBS), model, 0.3).resize.Point(format=vs.RGB24)
    np.testing.assert_array_equal(pixels(clip.get_frame(0)), model.enhance(picture, 0.3))
