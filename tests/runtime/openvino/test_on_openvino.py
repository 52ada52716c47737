"""Weights blended in place on OpenVINO: the file's results at every alpha, size and from every thread."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from alpha_policies import ALPHAS, MODELS, X, assert_same, reference, with_matrix
from onnx_models import METADATA, GraphBuilder, conv_stack, finish, noise, save, tinted, unet

from dni_runtime import Model, load
from dni_runtime.opening.runners import Plain
from dni_runtime.openvino.on_openvino import OnOpenVino
from dni_runtime.providers.openvino_session import OpenVinoSession

IN_PLACE = "weights are blended where OpenVINO reads them when alpha changes"


def scaled(seed: int = 0) -> onnx.ModelProto:
    """Vectors that OpenVINO would compute into others, or copy: scales and slopes of channels, one bias twice."""
    graph = GraphBuilder(seed, None)
    shape = graph.constant("shape", np.array([1, 24, 1, 1], np.int64))
    x = graph.conv("input", "first", 3, 24)
    scale = graph.node("Reshape", [graph.weight("scale", (24,)), shape], "scale.shaped")
    x = graph.node("Mul", [x, scale], "scaled")
    slope = graph.node("Reshape", [graph.weight("slope", (24,)), shape], "slope.shaped")
    x = graph.node("PRelu", [x, slope], "relu")
    x = graph.node("Conv", [x, graph.weight("second.weight", (24, 24, 1, 1)), "first.bias"], "second")
    x = graph.node("Sub", [x, scale], "shifted")
    graph.node("Identity", [graph.conv(x, "last", 24, 3)], "output")
    return finish(graph, 3, ("N", "H", "W"), METADATA, None)


def runner_of(model: Model) -> OnOpenVino:
    runner = model._runner
    assert isinstance(runner, OnOpenVino), model.alpha_note
    return runner


def opened(model: onnx.ModelProto, tmp_path: Path) -> Model:
    return load(save(model, tmp_path / "model.onnx"), "openvino", alpha_policy="dynamic")


@pytest.mark.parametrize("make", [conv_stack, unet, scaled, with_matrix, MODELS["table"]])
def test_every_alpha_has_the_results_of_the_file(make: Callable[..., onnx.ModelProto], tmp_path: Path):
    proto = make()
    x = X if make is not MODELS["table"] else noise(2, 3, 16, 24)
    with opened(proto, tmp_path) as model:
        if make is MODELS["table"]:  # alpha is multiplied with the image's values
            assert isinstance(model._runner, Plain)
        else:
            runner_of(model)
        for alpha in (*ALPHAS, *ALPHAS[::-1]):
            assert_same(model(x, alpha), reference(proto, alpha, x))


def test_alpha_and_size_change_together(tmp_path: Path):
    proto = scaled()
    with opened(proto, tmp_path) as model:
        runner_of(model)
        small, large, two = (1, 3, 8, 8), (1, 3, 40, 24), (2, 3, 8, 8)
        for alpha, shape in ((0.1, small), (0.9, large), (0.9, two), (0.2, two), (0.1, large)):
            assert_same(model(noise(*shape), alpha), reference(proto, alpha, noise(*shape)))


@pytest.mark.parametrize("constants", [True, False])
def test_both_ways_give_the_same(constants: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The second one is taken where OpenVINO keeps a copy of a constant."""
    original = OnOpenVino.__init__

    def only(runner: OnOpenVino, *args: Any, constants: bool) -> None:
        if constants is not wanted:
            raise RuntimeError("not now")
        original(runner, *args, constants=constants)

    wanted = constants
    monkeypatch.setattr(OnOpenVino, "__init__", only)
    proto = conv_stack(features=24)
    with opened(proto, tmp_path) as model:
        assert bool(runner_of(model)._session._shared) is constants
        for alpha in ALPHAS:
            assert_same(model(X, alpha), reference(proto, alpha))


def test_constants_that_openvino_copies_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    original = OpenVinoSession.__init__

    def copying(session: OpenVinoSession, *args: Any, shared: Any = None, **others: Any) -> None:
        original(session, *args, shared={name: array.copy() for name, array in (shared or {}).items()}, **others)

    monkeypatch.setattr(OpenVinoSession, "__init__", copying)
    proto = conv_stack(features=24)
    with opened(proto, tmp_path) as model:
        assert not runner_of(model)._session._shared
        for alpha in ALPHAS:
            assert_same(model(X, alpha), reference(proto, alpha))


def test_what_cannot_be_told_apart_runs_as_it_is_and_says_why(tmp_path: Path):
    proto = tinted()
    with opened(proto, tmp_path) as model:
        assert model.alpha_note == "the graph blends the weights with every call (alpha does more than blend weights)"
        assert_same(model(X, 0.3), reference(proto, 0.3))


def test_threads_with_alphas_of_their_own(tmp_path: Path):
    proto = conv_stack(features=24)
    wanted = {alpha: reference(proto, alpha) for alpha in ALPHAS}
    wrong: list[float] = []
    with opened(proto, tmp_path) as model:
        runner_of(model)

        def work(alpha: float) -> None:
            wrong.extend(alpha for _ in range(10) if np.abs(model(X, alpha) - wanted[alpha]).max() > 1e-4)

        threads = [threading.Thread(target=work, args=(alpha,)) for alpha in ALPHAS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_weights_beside_the_file(tmp_path: Path):
    path, proto = save(conv_stack(features=24), tmp_path / "model.onnx", external=True), conv_stack(features=24)
    with load(path, "openvino", alpha_policy="dynamic") as model:
        runner_of(model)
        for alpha in ALPHAS:
            assert_same(model(X, alpha), reference(proto, alpha))


def test_pinned_while_alpha_holds(tmp_path: Path):
    proto = conv_stack(features=24)
    with load(save(proto, tmp_path / "model.onnx"), "openvino") as model:
        assert model.alpha_note == f"{IN_PLACE}; pinned in the background while it holds"
        for alpha in (0.3, 0.3, 0.7, 0.3):
            assert_same(model(X, alpha), reference(proto, alpha))
        assert model.settle()
        assert_same(model(X, 0.3), reference(proto, 0.3))
