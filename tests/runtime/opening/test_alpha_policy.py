"""Policies over real models: the same answers from all of them, and no call that waits for a pin."""

from pathlib import Path
from typing import Any

import onnx
import pytest
from alpha_policies import (
    ALPHAS,
    MODELS,
    PATIENCE_S,
    Gate,
    X,
    assert_same,
    each_model,
    each_policy,
    each_provider,
    in_thread,
    pinning_models,
    reference,
)
from commands import python
from onnx_models import conv_stack, save, tinted, unet

from dni_runtime import InputError, Model, ModelError, load
from dni_runtime.opening.runners import Pinning


@each_policy
@each_model
@each_provider
def test_every_policy_gives_the_same_answers(provider: str, kind: str, policy: str, tmp_path: Path):
    """Those of ONNX Runtime with the file as it is."""
    proto = MODELS[kind]()
    with load(save(proto, tmp_path / "model.onnx"), provider, alpha_policy=policy) as model:
        for alpha in (*ALPHAS, *reversed(ALPHAS)):
            wanted = reference(proto, alpha)
            assert_same(model(X, alpha), wanted)
            assert_same(model(X, alpha), wanted)
            assert model.settle()
            assert_same(model(X, alpha), wanted)


@each_policy
def test_models_without_alpha_settle_at_once(policy: str, tmp_path: Path):
    with load(save(conv_stack(alpha=0.5, metadata=None), tmp_path / "model.onnx"), "cpu", alpha_policy=policy) as model:
        assert model.alpha_note == "the model has no alpha input"
        assert model.settle(timeout_s=0)
        assert model(X).shape == X.shape


@pytest.mark.parametrize(
    ("kind", "policy", "note"),
    [
        ("laid out", "auto", "weights are blended in ONNX Runtime's own layout when alpha changes"),
        ("laid out", "dynamic", "weights are blended in ONNX Runtime's own layout when alpha changes"),
        (
            "laid out, pinned",
            "auto",
            "weights are blended in ONNX Runtime's own layout when alpha changes; "
            "pinned in the background while it holds",
        ),
        ("laid out, pinned", "dynamic", "weights are blended in ONNX Runtime's own layout when alpha changes"),
        (
            "plain, pinned",
            "auto",
            "the graph blends the weights with every call (alpha does more than blend weights); "
            "pinned in the background while it holds",
        ),
        (
            "plain, pinned",
            "dynamic",
            "the graph blends the weights with every call (alpha does more than blend weights)",
        ),
        ("laid out", "pinned", "alpha is pinned for every call, the first one with a new alpha waits"),
    ],
)
def test_the_note_says_how_alpha_is_applied(kind: str, policy: str, note: str, tmp_path: Path):
    with load(save(MODELS[kind](), tmp_path / "model.onnx"), "cpu", alpha_policy=policy) as model:
        assert model.alpha_note == note


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha_policy": "fast"}, r"alpha_policy is 'fast'; expected one of auto, dynamic, pinned"),
        ({"pin_cache_mib": -1}, r"pin_cache_mib is -1; expected 0 or more"),
    ],
)
def test_unfit_arguments(arguments: dict, message: str, tmp_path: Path):
    with pytest.raises(InputError, match=message):
        load(save(conv_stack(), tmp_path / "model.onnx"), "cpu", **arguments)


@pytest.mark.parametrize("policy", ["auto", "dynamic"])
@pytest.mark.parametrize("shape", [(), ("K",)])
@each_provider
def test_a_scalar_alpha_and_one_of_unknown_length(provider: str, shape: tuple[Any, ...], policy: str, tmp_path: Path):
    proto, wanted = MODELS["plain, pinned"](), MODELS["plain, pinned"]()
    proto.graph.input[1].CopyFrom(onnx.helper.make_tensor_value_info("alpha", onnx.TensorProto.FLOAT, shape))
    with load(save(proto, tmp_path / "model.onnx"), provider, alpha_policy=policy) as model:
        for alpha in ALPHAS:
            assert_same(model(X, alpha), reference(wanted, alpha))
            assert model.settle()
            assert_same(model(X, alpha), reference(wanted, alpha))


# --- pins in the background ---


@pinning_models
def test_no_call_waits_for_a_pin(kind: str, tmp_path: Path, gate: Gate):
    """The gate is shut all the while: a call that waited for a pin would never come back."""
    proto = MODELS[kind]()
    with load(save(proto, tmp_path / "model.onnx"), "cpu") as model:
        for alpha in (0.5, 0.5, 0.5, 0.31, 0.31, 0.5, 0.77):
            assert_same(model(X, alpha), reference(proto, alpha))
        assert gate.begun.wait(PATIENCE_S)
        assert gate.alphas == [(0.5,)]
        assert not model.settle(timeout_s=0)
        waiting = in_thread(model.settle)
        for alpha in (0.77, 0.77, 0.5):
            assert_same(model(X, alpha), reference(proto, alpha))
        assert waiting.empty()
        gate.open.set()
        assert waiting.get(timeout=PATIENCE_S) in (True, False)  # of its alpha, which others may have overtaken
        assert model.settle()
        assert_same(model(X, 0.5), reference(proto, 0.5))


@pinning_models
def test_a_pin_takes_over(kind: str, tmp_path: Path):
    proto = MODELS[kind]()
    with load(save(proto, tmp_path / "model.onnx"), "cpu") as model:
        model(X, 0.5)
        assert model.settle()
        stop_moving(model)
        assert_same(model(X, 0.5), reference(proto, 0.5))
        with pytest.raises(ModelError, match="the slow way"):
            model(X, 0.31)


def stop_moving(model: Model) -> None:
    """From here on an answer can only come from a pinned session."""
    assert isinstance(model._runner, Pinning)

    def run(x: Any, alpha: Any) -> Any:
        raise RuntimeError("the slow way")

    model._runner._moving.run = run  # type: ignore[method-assign]


@pytest.mark.parametrize(("pin_cache_mib", "kept"), [(0, 1), (20, 2), (256, 3)])
def test_recently_used_pins_are_kept(pin_cache_mib: int, kept: int, tmp_path: Path):
    """A pin of this model counts 8 MiB and 74 KB."""
    with load(save(tinted(features=24), tmp_path / "model.onnx"), "cpu", pin_cache_mib=pin_cache_mib) as model:
        for alpha in (0.31, 0.5, 0.77):
            model(X, alpha)
            assert model.settle()
        stop_moving(model)
        pinned = []
        for alpha in (0.77, 0.5, 0.31):
            answer = in_thread(lambda alpha=alpha: model(X, alpha)).get(timeout=PATIENCE_S)
            pinned.append(not isinstance(answer, ModelError))
        assert pinned == [True] * kept + [False] * (3 - kept)


@pytest.mark.parametrize("pin_cache_mib", [0, 1, 256])
@each_policy
def test_memory_for_weights_changes_no_answer(policy: str, pin_cache_mib: int, tmp_path: Path):
    proto = unet()
    path = save(proto, tmp_path / "model.onnx")
    with load(path, "cpu", alpha_policy=policy, pin_cache_mib=pin_cache_mib) as model:
        for alpha in (*ALPHAS, *ALPHAS):
            assert_same(model(X, alpha), reference(proto, alpha))


@each_policy
@each_model
@each_provider
def test_threads_share_a_model(provider: str, kind: str, policy: str, tmp_path: Path):
    proto = MODELS[kind]()
    wanted = {alpha: reference(proto, alpha) for alpha in ALPHAS}
    with load(save(proto, tmp_path / "model.onnx"), provider, alpha_policy=policy, pin_cache_mib=0) as model:
        orders = [[*ALPHAS[shift:], *ALPHAS[:shift]] for shift in range(len(ALPHAS))]
        answers = [in_thread(lambda order=order: [model(X, alpha) for alpha in order]) for order in orders]
        for order, answer in zip(orders, answers, strict=True):
            for alpha, y in zip(order, answer.get(timeout=PATIENCE_S), strict=True):
                assert_same(y, wanted[alpha])


# --- the end of the process ---

# Only once the program has ended may the pin begin: whatever is torn down by then is torn down.
EXIT = """
import sys, threading
import numpy as np
import dni_runtime
from dni_runtime.weights.alpha_file import AlphaFile

original, begun = AlphaFile.open_pinned, threading.Event()

def open_pinned(*arguments):
    begun.set()
    threading.main_thread().join()
    session = original(*arguments)
    print("pinned", flush=True)
    return session

AlphaFile.open_pinned = open_pinned
model = dni_runtime.load(sys.argv[1], "cpu")
x = np.zeros((1, 3, 16, 24), np.float32)
model(x, 0.5)
model(x, 0.5)
assert begun.wait(60)
print("over", flush=True)
"""


@pytest.mark.parametrize(
    ("kind", "ending", "code"),
    [
        ("plain, pinned", "", 0),
        ("plain, pinned", "sys.exit(3)", 3),
        ("plain, pinned", "del model", 0),
        ("laid out, pinned", "", 0),
        ("table", "", 0),
    ],
)
def test_a_process_that_ends_during_a_pin_ends_well(kind: str, ending: str, code: int, tmp_path: Path):
    result = python(EXIT + ending, save(MODELS[kind](), tmp_path / "model.onnx"))
    assert (result.code, result.out, result.err) == (code, "over\npinned\n", "")
