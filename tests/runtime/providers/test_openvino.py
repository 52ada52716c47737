"""OpenVINO as a provider: ONNX Runtime's answers, alpha that always counts, and errors that name the remedy."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
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
    in_thread,
    reference,
)
from commands import dni, python
from onnx_models import METADATA, baked, conv_stack, noise, picture, save, tinted, unet
from onnxruntime.transformers.float16 import convert_float_to_float16
from photographs import save_image

from dni_deploy.bench import line_up, plan, run_case
from dni_deploy.bench.approaches.lineup import BAKED, CACHE, MIXING, NAIVE, OURS
from dni_deploy.image_files.read_write import read_image
from dni_runtime import InputError, Model, ModelError, ProviderError, load
from dni_runtime.providers.openvino_session import OpenVinoSession

# Float16 keeps 11 bits; as in test_half.
HALF_TOLERANCE = 2e-2


def session_of(model: Model) -> OpenVinoSession:
    """That of a dynamic model."""
    session = model._runner._session  # type: ignore[union-attr]
    assert isinstance(session, OpenVinoSession)
    return session


# --- the same answers as ONNX Runtime ---


@each_policy
@each_model
def test_every_policy_gives_onnx_runtimes_answers(kind: str, policy: str, tmp_path: Path):
    proto = MODELS[kind]()
    with load(save(proto, tmp_path / "model.onnx"), "openvino", alpha_policy=policy) as model:
        for alpha in (*ALPHAS, *reversed(ALPHAS)):
            wanted = reference(proto, alpha)
            assert_same(model(X, alpha), wanted)
            assert_same(model(X, alpha), wanted)
            assert model.settle()
            assert_same(model(X, alpha), wanted)


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


@pytest.mark.parametrize("shape", [(), ("K",)])
def test_a_scalar_alpha_and_one_of_unknown_length(shape: tuple[Any, ...], tmp_path: Path):
    proto = tinted()
    proto.graph.input[1].CopyFrom(onnx.helper.make_tensor_value_info("alpha", onnx.TensorProto.FLOAT, shape))
    with load(save(proto, tmp_path / "model.onnx"), "openvino") as model:
        for alpha in ALPHAS:
            assert_same(model(X, alpha), reference(tinted(), alpha))
            assert model.settle()
            assert_same(model(X, alpha), reference(tinted(), alpha))


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
            model.alpha_note == "the graph blends the weights with every call; pinned in the background while it holds"
        )
    with load(path, "openvino", provider_options={"device": "AUTO"}) as model:
        assert_same(model(X, 0.3), reference(conv_stack(), 0.3))


# --- files ---


@each_policy
def test_weights_beside_the_model(policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    proto = conv_stack(features=24)
    wanted = {alpha: reference(proto, alpha) for alpha in ALPHAS}
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = save(proto, tmp_path / "model.onnx", external=True)
    with load(path, "openvino", alpha_policy=policy) as model:
        for alpha in ALPHAS:
            assert_same(model(X, alpha), wanted[alpha])
            assert model.settle()
            assert_same(model(X, alpha), wanted[alpha])


def test_weights_beyond_two_gigabytes(tmp_path: Path):
    """Where 32 bits end; the file is sparse and takes no room."""
    proto = conv_stack(features=24)
    wanted = reference(proto, 0.3)
    save(proto, tmp_path / "model.onnx", external=True)
    model, data = onnx.load(tmp_path / "model.onnx", load_external_data=False), tmp_path / "model.onnx.data"
    start, stored = 3 * 2**30, data.read_bytes()
    with data.open("wb") as file:
        file.seek(start)
        file.write(stored)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "offset":
                entry.value = str(int(entry.value) + start)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with load(tmp_path / "model.onnx", "openvino", alpha_policy="pinned") as loaded:
        assert_same(loaded(X, 0.3), wanted)


@pytest.mark.parametrize("proto", [conv_stack(features=24), conv_stack(features=24, alpha=0.3)])
def test_weights_that_are_missing(proto: onnx.ModelProto, tmp_path: Path):
    path = save(proto, tmp_path / "model.onnx", external=True)
    (tmp_path / "model.onnx.data").unlink()
    with pytest.raises(ModelError, match=r"needs a weights file that is missing or damaged \(model\.onnx\.data\)"):
        load(path, "openvino")


def test_weights_outside_of_the_folder_are_refused_unread(tmp_path: Path):
    save(conv_stack(features=24), tmp_path / "model.onnx", external=True)
    (tmp_path / "here").mkdir()
    shutil.move(tmp_path / "model.onnx", tmp_path / "here")
    (tmp_path / "here" / "model.onnx.data").symlink_to("/dev/zero")
    with pytest.raises(ModelError, match="outside of its folder, and is not read"):
        load(tmp_path / "here" / "model.onnx", "openvino")


def overwrite(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))


@pytest.mark.parametrize("change", [overwrite, Path.unlink])
@each_model
def test_results_stay_those_of_the_file_that_was_loaded(kind: str, change: Callable[[Path], None], tmp_path: Path):
    proto = MODELS[kind]()
    path = save(proto, tmp_path / "model.onnx")
    with load(path, "openvino") as model:
        assert_same(model(X, 0.5), reference(proto, 0.5))
        assert model.settle()
        change(path)
        for alpha in (0.5, 0.31, 0.31, 0.77):
            assert_same(model(X, alpha), reference(proto, alpha))
            model.settle()
            assert_same(model(X, alpha), reference(proto, alpha))


def unknown_operator() -> onnx.ModelProto:
    proto = conv_stack()
    proto.graph.node[-1].CopyFrom(onnx.helper.make_node("Blur", ["second"], ["output"], domain="example"))
    proto.opset_import.add(domain="example", version=1)
    return proto


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            conv_stack().SerializeToString()[:-100],
            "is not an ONNX file, or only a part of one: copy or export it again",
        ),
        (b"no model", "is not an ONNX file, or only a part of one: copy or export it again"),
        (unknown_operator().SerializeToString(), "cannot be loaded by OpenVINO: .*Blur"),
    ],
)
def test_files_that_openvino_cannot_load(content: bytes, message: str, tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        load(tmp_path / "model.onnx", "openvino")
    assert "Exception from" not in str(caught.value)


def test_an_ort_file_is_onnx_runtimes_alone(tmp_path: Path):
    (tmp_path / "model.ort").write_bytes(b"\x18\x00\x00\x00ORTM")
    with pytest.raises(
        ModelError, match=r"model\.ort is in ONNX Runtime's own format; openvino reads \.onnx files only"
    ):
        load(tmp_path / "model.ort", "openvino")


def test_a_call_that_openvino_cannot_run(tmp_path: Path):
    """The table has one size, the image another."""
    proto = MODELS["table"]()
    for axis in (2, 3):
        proto.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = "size"
    with load(save(proto, tmp_path / "model.onnx"), "openvino", alpha_policy="dynamic") as model:
        with pytest.raises(ModelError, match=r"^model\.onnx failed on openvino: ") as caught:
            model(noise(1, 3, 9, 9), 0.5)
        assert len(str(caught.value).splitlines()) == 1
        assert_same(model(X, 0.5), reference(MODELS["table"](), 0.5))


# --- threads, pins and the end ---


@each_policy
@each_model
def test_threads_share_a_model(kind: str, policy: str, tmp_path: Path):
    proto = MODELS[kind]()
    wanted = {alpha: reference(proto, alpha) for alpha in ALPHAS}
    with load(save(proto, tmp_path / "model.onnx"), "openvino", alpha_policy=policy, pin_cache_mib=0) as model:
        orders = [[*ALPHAS[shift:], *ALPHAS[:shift]] for shift in range(len(ALPHAS))]
        answers = [in_thread(lambda order=order: [model(X, alpha) for alpha in order]) for order in orders]
        for order, answer in zip(orders, answers, strict=True):
            for alpha, y in zip(order, answer.get(timeout=PATIENCE_S), strict=True):
                assert_same(y, wanted[alpha])


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


def test_closed_during_a_pin(tmp_path: Path, gate: Gate, capfd: pytest.CaptureFixture[str]):
    model = load(save(conv_stack(), tmp_path / "model.onnx"), "openvino")
    model(X, 0.5)
    model(X, 0.5)
    assert gate.begun.wait(PATIENCE_S)
    closing = in_thread(model.close)
    gate.open.set()
    assert closing.get(timeout=PATIENCE_S) is None
    assert not gate.worker.is_alive()
    with pytest.raises(ModelError, match=r"model\.onnx is closed; load it again"):
        model(X, 0.5)
    assert capfd.readouterr() == ("", "")


def test_a_process_that_ends_during_a_pin_ends_well(tmp_path: Path):
    program = (
        "import sys, numpy as np, dni_runtime\n"
        "model = dni_runtime.load(sys.argv[1], 'openvino')\n"
        "for _ in range(3): model(np.zeros((1, 3, 16, 24), np.float32), 0.5)\n"
    )
    result = python(program, save(conv_stack(features=24), tmp_path / "model.onnx"))
    assert (result.code, result.out, result.err) == (0, "", "")


# --- on the command line ---


def test_dni_run_computes_what_it_computes_on_the_cpu(tmp_path: Path):
    path = save(conv_stack(), tmp_path / "model.onnx")
    photo = save_image(tmp_path / "photo.png", picture(40, 60, 3))
    for provider in ("openvino", "cpu"):
        output = tmp_path / f"{provider}.png"
        result = dni("run", path, photo, "--alpha", "0.3", "--provider", provider, "-o", output).assert_ok()
        assert f"running on {provider} ({provider} was asked for" in result.err
    got, wanted = (read_image(tmp_path / f"{provider}.png").astype(int) for provider in ("openvino", "cpu"))
    assert np.abs(got - wanted).max() <= 1


def test_dni_run_passes_options_on(tmp_path: Path):
    path = save(conv_stack(), tmp_path / "model.onnx")
    photo = save_image(tmp_path / "photo.png", picture(40, 60, 3))
    arguments = ("run", path, photo, "--alpha", "0.3", "-o", tmp_path / "out.png", "--provider", "openvino")
    dni(*arguments, "--provider-option", "device=XPU").assert_error("openvino has no device 'XPU' here; it has CPU")
    dni(*arguments, "--provider-option", "NUM_STREAMS").assert_usage("'NUM_STREAMS' is no KEY=VALUE")
    dni(*arguments, "--provider-option", "device=CPU", "--provider-option", "NUM_STREAMS=1").assert_ok()


def test_a_benchmark_of_it_has_its_own_baked_file_as_yardstick(tmp_path: Path):
    lineup = line_up(save(conv_stack(), tmp_path / "model.onnx"), tmp_path, (0.3,), "openvino")
    names = [approach.name for approach in lineup.approaches]
    assert names == [BAKED, OURS, NAIVE, CACHE, MIXING]
    shape = (1, 3, 16, 24)
    case = run_case("m", lineup, lineup.approaches, shape, 1, "openvino", plan(0.2, fewest=1), lambda step: None)
    assert case.provider == "openvino"
    assert all(row.difference <= case.tolerance for row in case.rows if row.exact)
    for approach in lineup.approaches:
        running = approach.open(1)
        if approach.exact:
            assert_same(running(X, (0.3,)), reference(conv_stack(), 0.3))
        running.close()
