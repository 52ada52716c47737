"""A model that is closed while it works: nothing is left, nothing is printed, and whatever runs finishes."""

import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alpha_policies import (
    MODELS,
    PATIENCE_S,
    Gate,
    X,
    assert_same,
    each_model,
    each_provider,
    in_thread,
    reference,
    waited_for,
)
from onnx_models import save, tinted

from dni_runtime import AlphaError, InputError, ModelError, load


@each_provider
def test_closing_during_a_pin_is_clean(provider: str, tmp_path: Path, gate: Gate, capfd: pytest.CaptureFixture[str]):
    model = load(save(tinted(), tmp_path / "model.onnx"), provider)
    model(X, 0.5)
    model(X, 0.5)
    assert gate.begun.wait(PATIENCE_S)
    waited = waited_for(gate.worker)
    settling, closing = in_thread(model.settle), in_thread(model.close)
    assert waited.wait(PATIENCE_S)
    gate.open.set()
    assert closing.get(timeout=PATIENCE_S) is None
    assert not gate.worker.is_alive()
    assert isinstance(settling.get(timeout=PATIENCE_S), bool | ModelError)
    for use in (lambda: model(X, 0.5), model.settle, lambda: model.enhance(np.zeros((8, 8, 3), np.uint8), 0.5)):
        with pytest.raises(ModelError, match=r"model\.onnx is closed; load it again"):
            use()
    assert capfd.readouterr() == ("", "")


@each_model
@each_provider
def test_a_model_that_nobody_holds_is_freed_at_once(provider: str, kind: str, tmp_path: Path):
    """A search for garbage comes when there are many objects, and knows nothing of the memory behind a few."""
    model = load(save(MODELS[kind](), tmp_path / "model.onnx"), provider, alpha_policy="dynamic")
    model(X, 0.5)
    runner = weakref.ref(model._runner)
    gc.disable()
    try:
        del model
        assert runner() is None
    finally:
        gc.enable()


class Held:
    """A session whose calls wait until `open` is set."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.begun, self.open = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self.begun.set()
            assert self.open.wait(PATIENCE_S)
            return getattr(self._session, name)(*arguments)

        return call


@pytest.mark.parametrize("kind", ["laid out", "plain, pinned"])
def test_a_call_that_runs_finishes_though_the_model_is_closed(kind: str, tmp_path: Path):
    proto = MODELS[kind]()
    model = load(save(proto, tmp_path / "model.onnx"), "cpu", alpha_policy="dynamic")
    runner, name = (model._runner._body, "_shared") if kind == "laid out" else (model._runner, "_session")
    held = Held(getattr(runner, name))
    setattr(runner, name, held)
    answer = in_thread(lambda: model(X, 0.5))
    assert held.begun.wait(PATIENCE_S)
    model.close()
    held.open.set()
    assert_same(answer.get(timeout=PATIENCE_S), reference(proto, 0.5))
    with pytest.raises(ModelError, match="is closed"):
        model(X, 0.5)


def test_a_pinned_call_that_runs_finishes_though_the_model_is_closed(tmp_path: Path):
    proto = tinted()
    model = load(save(proto, tmp_path / "model.onnx"), "cpu")
    model(X, 0.5)
    assert model.settle()
    sessions = model._runner._pins._sessions
    held = sessions[(0.5,)] = Held(sessions[(0.5,)])
    answer = in_thread(lambda: model(X, 0.5))
    assert held.begun.wait(PATIENCE_S)
    model.close()
    held.open.set()
    assert_same(answer.get(timeout=PATIENCE_S), reference(proto, 0.5))


def test_a_call_that_loses_the_race_with_close_says_closed(tmp_path: Path):
    model = load(save(tinted(), tmp_path / "model.onnx"), "cpu", alpha_policy="dynamic")
    runner = model._runner
    original = runner.run

    def run(x: Any, alpha: Any) -> Any:
        model.close()  # another thread, at the worst of all times
        return original(x, alpha)

    runner.run = run
    with pytest.raises(ModelError, match=r"^model\.onnx is closed; load it again$"):
        model(X, 0.5)


def test_errors_before_a_call_start_no_pin(tmp_path: Path, gate: Gate):
    with load(save(tinted(), tmp_path / "model.onnx"), "cpu") as model:
        for _ in range(3):
            with pytest.raises(AlphaError):
                model(X, 1.5)
            with pytest.raises(InputError):
                model(X[0], 0.5)
        assert model.settle(timeout_s=0)
        assert not gate.alphas
