"""Alpha's policies on models of every kind, on every provider: right answers, and pins that wait for a test."""

import queue
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx_models import METADATA, FloatArray, GraphBuilder, conv_stack, finish, noise, tinted

from dni_runtime import ALPHA_POLICIES
from dni_runtime.providers.sessions import Place
from dni_runtime.weights.alpha_file import AlphaFile

# Long enough for the busiest machine; it passes only where a test fails.
PATIENCE_S = 60.0
X = noise(2, 3, 16, 24)
ALPHAS = (0.0, 0.31, 0.5, 0.77, 1.0)


def with_table(seed: int = 0) -> onnx.ModelProto:
    """A weight of 37 KB that is the same in all endpoints, in the way of a network that falls back."""
    graph = GraphBuilder(seed, None)
    table = graph.constant("table", np.random.default_rng(seed).normal(size=(1, 24, 16, 24)).astype(np.float32))
    x = graph.node("Add", [graph.conv("input", "first", 3, 24), table], "sum")
    graph.node("Mul", [graph.conv(x, "second", 24, 3), "alpha"], "output")
    return finish(graph, 3, ("N", 16, 24), METADATA, None)


def with_matrix(seed: int = 0) -> onnx.ModelProto:
    """A product over channels: ONNX Runtime packs such a weight when a session starts, if it is constant."""
    graph = GraphBuilder(seed, None)
    x = graph.node("Transpose", [graph.conv("input", "first", 3, 24)], "last_channels", perm=[0, 2, 3, 1])
    x = graph.node("MatMul", [x, graph.weight("matrix", (24, 24))], "product")
    x = graph.node("Transpose", [graph.relu(x)], "back", perm=[0, 3, 1, 2])
    graph.node("Identity", [graph.conv(x, "second", 24, 3)], "output")
    return finish(graph, 3, ("N", "H", "W"), METADATA, None)


# How auto runs them: laid out; laid out, and pinned while alpha holds; as they are, and pinned while it holds.
MODELS: dict[str, Callable[..., onnx.ModelProto]] = {
    "laid out": lambda seed=0: conv_stack(features=24, seed=seed),
    "laid out, pinned": with_matrix,
    "plain, pinned": lambda seed=0: tinted(features=24, seed=seed),
    "table": with_table,
}
each_model = pytest.mark.parametrize("kind", MODELS)
each_policy = pytest.mark.parametrize("policy", ALPHA_POLICIES)
each_provider = pytest.mark.parametrize(
    "provider",
    [
        "cpu",
        pytest.param(
            "openvino", marks=pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")
        ),
    ],
)
pinning_models = pytest.mark.parametrize("kind", [kind for kind in MODELS if kind != "laid out"])


def reference(model: onnx.ModelProto, alpha: float, x: FloatArray = X) -> FloatArray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"input": x, "alpha": np.array([alpha], np.float32)})[0]


def assert_same(got: FloatArray, wanted: FloatArray) -> None:
    """Float32 sums in another order."""
    np.testing.assert_allclose(got, wanted, atol=1e-5 * max(1.0, float(np.abs(wanted).max())))


def in_thread(work: Callable[[], Any]) -> "queue.Queue[Any]":
    """Starts `work` in a thread; its result, or what it raised, comes through the queue."""
    results: queue.Queue[Any] = queue.Queue()

    def run() -> None:
        try:
            results.put(work())
        except Exception as error:
            results.put(error)

    threading.Thread(target=run).start()
    return results


def waited_for(thread: threading.Thread) -> threading.Event:
    """Set once somebody waits for the end of `thread`."""
    waited, join = threading.Event(), thread.join

    def signal_and_join(timeout: float | None = None) -> None:
        waited.set()
        join(timeout)

    thread.join = signal_and_join  # type: ignore[method-assign]
    return waited


class Gate:
    """Pins of real models wait here until `open` is set; `begun` says that one does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.open = threading.Event(), threading.Event()
        self.alphas: list[tuple[float, ...]] = []
        original = AlphaFile.open_pinned

        def open_pinned(file: AlphaFile, alpha: tuple[float, ...], place: Place) -> Any:
            self.worker = threading.current_thread()
            self.alphas.append(alpha)
            self.begun.set()
            assert self.open.wait(PATIENCE_S)
            return original(file, alpha, place)

        monkeypatch.setattr(AlphaFile, "open_pinned", open_pinned)
