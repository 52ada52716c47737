"""What ONNX Runtime did to the weights is read off numbers; what is not understood is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from alpha_policies import assert_same, reference
from hypothesis import given
from hypothesis import strategies as st
from onnx_models import METADATA, GraphBuilder, conv_stack, finish, noise, save

import dni_runtime.prepared.layout
from dni_runtime import load
from dni_runtime.prepared.laid_out import LaidOut
from dni_runtime.prepared.layout import Layout, Placement, learn_layout
from dni_runtime.prepared.prepare import _compress
from dni_runtime.weights.split import CannotPrepareError, split

X = noise(2, 3, 16, 24)


def learnt(model: onnx.ModelProto) -> Layout:
    return learn_layout(split(model), Path())


def finished(graph: GraphBuilder) -> onnx.ModelProto:
    return finish(graph, 3, ("N", "H", "W"), METADATA, None)


def assert_refused(model: onnx.ModelProto, reason: str) -> None:
    with pytest.raises(CannotPrepareError, match=reason):
        learnt(model)


def assert_runs(model: onnx.ModelProto, folder: Path, *, laid_out: bool | None) -> None:
    """It computes what the plain graph does; `laid_out` None leaves to the processor whether it is."""
    with load(save(model, folder / "model.onnx"), "cpu", alpha_policy="dynamic") as loaded:
        if laid_out is not None:
            assert isinstance(loaded._runner, LaidOut) == laid_out, loaded.alpha_note
        for alpha in (0.0, 0.31, 0.77, 1.0):
            assert_same(loaded(X, alpha), reference(model, alpha, X))


# --- whole graphs ---


def test_every_weight_has_its_place():
    layout = learnt(conv_stack(features=16))
    shapes = {
        "first.weight": (16, 3, 3, 3),
        "first.bias": (16,),
        "second.weight": (3, 16, 3, 3),
        "second.bias": (3,),
    }
    assert {p.weight for p in layout.placements} == shapes.keys()
    for p in layout.placements:
        assert p.index.shape == (np.prod(p.shape),)
        np.testing.assert_array_equal(np.sort(p.index[p.index >= 0]), np.arange(np.prod(shapes[p.weight])))
        assert p.scale == 1
    (image, *weights) = layout.body.graph.input
    assert image.name == "input"
    assert [value.name for value in weights] == [p.name for p in layout.placements]


def test_channels_are_filled_up_with_zeros():
    """3 output channels lie in a block of 8 or 16 on x86; elsewhere ONNX Runtime may leave them as they are."""
    placements = {p.weight: p for p in learnt(conv_stack(features=24)).placements}
    for p in placements.values():
        filled = np.count_nonzero(p.index >= 0)
        assert filled == 3 * 24 * 9 or filled in (3, 24)


def residual(factor: float, features: int = 16, channels: int = 16) -> onnx.ModelProto:
    graph = GraphBuilder(0, None)
    x = graph.relu(graph.conv("input", "first", 3, features))
    x = graph.conv(x, "second", features, channels)
    x = graph.node("Mul", [x, graph.constant("factor", np.array(factor, np.float32))], "scaled")
    graph.node("Identity", [graph.conv(x, "last", channels, 3)], "output")
    return finished(graph)


@pytest.mark.parametrize("factor", [0.2, -0.2, 3.0, 1.0, 1e-3])
def test_a_constant_factor_goes_into_the_weights(factor: float, tmp_path: Path):
    model = residual(factor)
    layout = learnt(model)
    if "Mul" not in {node.op_type for node in layout.body.graph.node}:
        scales = {p.weight: p.scale for p in layout.placements}
        assert scales["second.weight"] == scales["second.bias"] == pytest.approx(factor, rel=1e-6)
        assert scales["first.weight"] == scales["last.weight"] == 1
    assert_runs(model, tmp_path, laid_out=True)


def test_a_factor_of_single_elements_is_not_taken_for_another_weight(tmp_path: Path):
    """Of one element the number tells which weight it is only while nothing scales it."""
    graph = GraphBuilder(0, None)
    x = graph.node("Mul", ["input", graph.weight("one.element", (1,))], "tinted")
    x = graph.conv(x, "grey", 3, 1)
    x = graph.node("Mul", [x, graph.constant("factor", np.array(0.25, np.float32))], "scaled")
    graph.node("Identity", [graph.conv(x, "last", 1, 3)], "output")
    assert_runs(finished(graph), tmp_path, laid_out=True)


def test_fusions_of_two_moving_weights_are_left_out(tmp_path: Path):
    """A moving factor of every channel after a convolution: a product of two blends is no blend."""
    graph = GraphBuilder(0, None)
    x = graph.conv("input", "first", 3, 16)
    x = graph.node("Mul", [x, graph.weight("gain", (1, 16, 1, 1))], "scaled")
    x = graph.node("Add", [x, graph.weight("shift", (1, 16, 1, 1))], "shifted")
    graph.node("Identity", [graph.conv(x, "last", 16, 3)], "output")
    model = finished(graph)
    assert {p.weight for p in learnt(model).placements} >= {"gain", "shift", "first.weight"}
    assert_runs(model, tmp_path, laid_out=True)


@pytest.mark.parametrize("features", [3, 8, 24])
def test_padding_that_is_not_zero_stays_what_it_is(features: int, tmp_path: Path):
    """A factor for each of channels that fill no block is filled up with ones."""
    graph = GraphBuilder(0, None)
    x = graph.relu(graph.conv("input", "first", 3, features))
    x = graph.node("Mul", [x, graph.weight("gain", (1, features, 1, 1))], "scaled")
    graph.node("Identity", [graph.conv(x, "last", features, 3)], "output")
    model = finished(graph)
    (gain,) = (p for p in learnt(model).placements if p.weight == "gain")
    assert np.count_nonzero(gain.index >= 0) == features
    if (gain.index < 0).any():  # on x86; elsewhere it may stay as it is
        assert gain.fill == 1
    assert_runs(model, tmp_path, laid_out=True)


def integers() -> onnx.ModelProto:
    graph = GraphBuilder(0, None)
    graph.node("Cast", [graph.weight("steps", (1,))], "whole", to=onnx.TensorProto.INT64)
    graph.node("Cast", ["whole"], "back", to=onnx.TensorProto.FLOAT)
    graph.node("Cast", ["input"], "pixels", to=onnx.TensorProto.INT64)
    x = graph.node("Add", ["pixels", "whole"], "moved")
    x = graph.node("Cast", [x], "moved.float", to=onnx.TensorProto.FLOAT)
    graph.node("Identity", [graph.conv(x, "last", 3, 3)], "output")
    return finished(graph)


def varying() -> onnx.ModelProto:
    """As many weights as alpha says: they have no fixed shape."""
    graph = GraphBuilder(0, None)
    graph.node("Cast", ["alpha"], "count", to=onnx.TensorProto.INT64)
    graph.node("Expand", [graph.weight("shift", (1, 3, 1, 1)), "count"], "shifts")
    graph.node("Add", [graph.conv("input", "first", 3, 3), "shifts"], "output")
    return finished(graph)


@pytest.mark.parametrize(
    ("make", "reason"),
    [(integers, "weights are of type int64, float32 is expected"), (varying, "the shape of shifts is not fixed")],
)
def test_weights_of_other_kinds_are_refused(make: Callable[[], onnx.ModelProto], reason: str):
    assert_refused(make(), reason)


def test_a_weight_of_too_many_elements_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("DNI_CACHE_DIR", "")
    monkeypatch.setattr(dni_runtime.prepared.layout, "LIMIT", 200)
    assert_refused(conv_stack(), "a weight of 216 elements is too large")
    assert_runs(conv_stack(), tmp_path, laid_out=False)


# --- factors of each channel ---


@given(
    st.integers(1, 4),
    st.integers(1, 6),
    st.sampled_from([1, 4, 8, 16, 32]),
    st.integers(1, 5),
    st.integers(0, 2**32 - 1),
)
def test_factors_are_stored_once_for_what_shares_them(outer: int, middle: int, inner: int, channels: int, seed: int):
    channel = np.random.default_rng(seed).integers(0, channels, (outer, 1, inner))
    wanted = np.broadcast_to(channel, (outer, middle, inner)).ravel()
    got_outer, got_inner, index = _compress(wanted)
    spread = index.reshape(got_outer, 1, got_inner)
    count = len(wanted) // (got_outer * got_inner)
    np.testing.assert_array_equal(np.broadcast_to(spread, (got_outer, count, got_inner)).ravel(), wanted)
    assert len(index) == got_outer * got_inner <= outer * inner


def test_a_placement_holds_what_it_says():
    (bias,) = (p for p in learnt(conv_stack(features=16)).placements if p.weight == "first.bias")
    assert isinstance(bias, Placement)
    np.testing.assert_array_equal(bias.index, np.arange(16))
