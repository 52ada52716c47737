"""Bit for bit what `enhance` makes of each frame, whatever the order in which frames are asked for."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from onnx_models import conv_stack, save
from vs_clips import clip_of, pixels, with_property

import dni_runtime
from dni_runtime.vapoursynth import enhance

FRAMES = np.random.default_rng(0).random((12, 30, 41, 3), np.float32) * 1.4 - 0.2


@pytest.fixture
def model(tmp_path: Path) -> Iterator[dni_runtime.Model]:
    with dni_runtime.load(save(conv_stack(scale=2), tmp_path / "model.onnx"), "cpu") as model:
        yield model


def alpha_at(n: int) -> float:
    return n / 16


@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("prefetch", [1, 8])
def test_alpha_that_moves(model: dni_runtime.Model, streams: int, prefetch: int):
    source = clip_of(FRAMES)
    by_function = enhance(source, model, alpha_at, num_streams=streams)
    by_property = enhance(with_property(source, "dni_alpha", alpha_at), model, "dni_alpha", num_streams=streams)
    expected = [model.enhance(frame, alpha_at(n)) for n, frame in enumerate(FRAMES)]
    for clip in (by_function, by_property):
        got = [pixels(frame) for frame in clip.frames(prefetch=prefetch)]
        np.testing.assert_array_equal(got, expected)
