"""OpenVINO as a provider: ONNX Runtime's answers, alpha that always counts, and errors that name the remedy."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
from alpha_policies import (
    ALPHAS,
    PATIENCE_S,
    Gate,
    X,
    assert_same,
    each_policy,
    reference,
)
from commands import python
from onnx_models import METADATA, baked, conv_stack, noise, picture, save, tinted, unet
from onnxruntime.transformers.float16 import convert_float_to_float16

from dni_runtime import InputError, Model, ProviderError, load
from dni_runtime.providers.openvino_session import OpenVinoSession

# Float16 keeps 11 bits; as in test_half.
HALF_TOLERANCE = 2e-2


def session_of(model: Model) -> OpenVinoSession:
    """That of a dynamic model."""
    session = model._runner._session  # type: ignore[union-attr]
    assert isinstance(session, OpenVinoSession)
    return session


# --- the same answers as ONNX Runtime ---


def test_sizes_may_change_with_every_call(tmp_path: Path):
    proto = unet()
    with load(save(proto, tmp_path / "model.onnx"), "openvino", alpha_policy="dynamic") as model:
        for shape in ((1, 3, 8, 8), (2, 3, 64, 20), (1, 3, 8, 8), (3, 3, 12, 40)):
            assert_same(model(noise(*shape), 0.3), reference(proto, 0.3, noise(*shape)))


def test_images_are_tiled_as_elsewhere(tmp_path: Path):
    path, image = save(conv_stack(scale=2), tmp_path / "model.onnx"), picture(90, 70, 3)
    with load(path, "openvino") as ours, load(path, "cpu") as other:
        got, wanted = (model.enhance(image, 0.3, tile=32) for model in (ours, other))
        assert got.shape == (180, 140, 3)
        # Float32 sums in another order may round to the next of 256 values.
        assert np.abs(got.astype(int) - wanted).max() <= 1
        assert ours.metadata == other.metadata


def test_tensors_of_other_libraries_are_taken(tmp_path: Path):
    proto = conv_stack()
    with load(save(proto, tmp_path / "model.onnx"), "openvino") as model:
        assert_same(np.from_dlpack(model.run_on_device(X, 0.3)), reference(proto, 0.3))


@pytest.mark.parametrize("proto", [baked(0.3), conv_stack(alpha=0.3, metadata=None)])
def test_models_without_alpha(proto: onnx.ModelProto, tmp_path: Path):
    with load(save(proto, tmp_path / "model.onnx"), "openvino") as model:
        assert model.alpha_note == "the model has no alpha input"
        assert_same(model(X), reference(conv_stack(), 0.3))


@each_policy
def test_alpha_counts_though_it_has_a_default(policy: str, tmp_path: Path):
    """OpenVINO by itself makes a constant of it, and takes no alpha at all."""
    proto = conv_stack(alpha_default=0.3)
    with load(save(proto, tmp_path / "model.onnx"), "openvino", alpha_policy=policy) as model:
        assert_same(model(X), reference(proto, 0.3))
        for alpha in ALPHAS:
            assert_same(model(X, alpha), reference(proto, alpha))
        assert_same(model(X), reference(proto, 0.3))


@pytest.mark.parametrize("policy", ["dynamic", "pinned"])
@pytest.mark.parametrize("keep_io", [True, False])
def test_half_models(keep_io: bool, policy: str, tmp_path: Path):
    proto = conv_stack(features=24, metadata=replace(METADATA, dtype="float16"))
    half = convert_float_to_float16(proto, keep_io_types=keep_io)
    with load(save(half, tmp_path / "model.onnx"), "openvino", alpha_policy=policy) as model:
        for alpha in ALPHAS:
            y = model(X, alpha)
            assert y.dtype == np.float32
            assert np.abs(y - reference(proto, alpha)).max() < HALF_TOLERANCE


# --- how it is computed ---


def test_computed_in_float32_whatever_the_processor_prefers(tmp_path: Path):
    path = save(conv_stack(), tmp_path / "model.onnx")
    with load(path, "openvino", alpha_policy="dynamic") as model:
        assert session_of(model)._compiled.get_property("INFERENCE_PRECISION_HINT") == openvino.Type.f32


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_reach_openvino(threads: int, tmp_path: Path):
    path = save(conv_stack(), tmp_path / "model.onnx")
    with load(path, "openvino", threads=threads, alpha_policy="dynamic") as model:
        # It takes no more than there are cores.
        used = session_of(model)._compiled.get_property("INFERENCE_NUM_THREADS")
        assert used == min(threads, os.cpu_count() or 1)


def test_options_reach_openvino_and_go_before_ours(tmp_path: Path):
    path = save(conv_stack(), tmp_path / "model.onnx")
    options = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": "1", "device": "CPU"}
    with load(path, "openvino", provider_options=options, alpha_policy="dynamic") as model:
        hint = session_of(model)._compiled.get_property("PERFORMANCE_HINT")
        assert str(hint) == "THROUGHPUT"
        assert_same(model(X, 0.3), reference(conv_stack(), 0.3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"NUM_STREEMS": "2"}, r"provider_options are {'NUM_STREEMS': '2'}; OpenVINO refuses them: .*NUM_STREEMS"),
        ({"NUM_STREAMS": "many"}, r"provider_options are .*; OpenVINO refuses them: .*many"),
    ],
)
def test_options_that_openvino_does_not_know(options: dict[str, str], message: str, tmp_path: Path):
    with pytest.raises(InputError, match=message) as caught:
        load(save(conv_stack(), tmp_path / "model.onnx"), "openvino", provider_options=options)
    assert len(str(caught.value).splitlines()) == 1


def test_a_device_that_is_not_there(tmp_path: Path):
    with pytest.raises(ProviderError, match=r"openvino has no device 'GPU\.7' here; it has CPU.*Intel's drivers"):
        load(save(conv_stack(), tmp_path / "model.onnx"), "openvino", provider_options={"device": "GPU.7"})


def test_it_says_where_it_runs(tmp_path: Path):
    path = save(conv_stack(), tmp_path / "model.onnx")
    with load(path, "openvino") as model:
        assert (model.provider, model.provider_note) == ("openvino", "openvino was asked for, on CPU")
        assert (
            model.alpha_note
            == "weights are blended where OpenVINO reads them when alpha changes; pinned in the background "
            "while it holds"
        )
    with load(path, "openvino", provider_options={"device": "AUTO"}) as model:
        assert_same(model(X, 0.3), reference(conv_stack(), 0.3))


# --- threads, pins and the end ---


def test_an_answer_outlives_the_next_call(tmp_path: Path):
    """OpenVINO writes every answer of a request into the same memory."""
    proto = conv_stack()
    with load(save(proto, tmp_path / "model.onnx"), "openvino") as model:
        first = model(X, 0.0)
        model(X, 1.0)
        assert_same(first, reference(proto, 0.0))


def test_no_call_waits_for_a_pin_and_it_takes_over(tmp_path: Path, gate: Gate):
    proto = conv_stack(features=24)
    with load(save(proto, tmp_path / "model.onnx"), "openvino") as model:
        for alpha in (0.5, 0.5, 0.31, 0.5):
            assert_same(model(X, alpha), reference(proto, alpha))
        assert gate.begun.wait(PATIENCE_S)
        assert not model.settle(timeout_s=0)
        gate.open.set()
        assert model.settle()
        session = model._runner._pins.get((0.5,))  # type: ignore[union-attr]
        assert isinstance(session, OpenVinoSession)
        assert [value.get_any_name() for value in session._compiled.inputs] == ["input"]
        assert_same(model(X, 0.5), reference(proto, 0.5))


@pytest.mark.parametrize(("provider", "kept"), [("cpu", 2), ("openvino", 1)])
def test_pins_are_counted_with_the_memory_that_they_take(provider: str, kept: int, tmp_path: Path):
    """Weights of 0.9 MB, which OpenVINO holds three times, and 8 MiB a session: of 20 MiB."""
    path = save(tinted(features=4096), tmp_path / "model.onnx")
    with load(path, provider, alpha_policy="pinned", pin_cache_mib=20) as model:
        for alpha in (0.31, 0.5, 0.77):
            model(X[:, :, :8, :8], alpha)
        pins = model._runner._pins  # type: ignore[union-attr]
        assert [pins.get((alpha,)) is not None for alpha in (0.31, 0.5, 0.77)] == [False] * (3 - kept) + [True] * kept


def test_a_process_that_ends_during_a_pin_ends_well(tmp_path: Path):
    program = (
        "import sys, numpy as np, dni_runtime\n"
        "model = dni_runtime.load(sys.argv[1], 'openvino')\n"
        "for _ in range(3): model(np.zeros((1, 3, 16, 24), np.float32), 0.5)\n"
    )
    result = python(program, save(conv_stack(features=24), tmp_path / "model.onnx"))
    assert (result.code, result.out, result.err) == (0, "", "")
