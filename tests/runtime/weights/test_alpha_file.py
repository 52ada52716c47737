"""The file of a loaded model is deleted, replaced or overwritten, or lies elsewhere: no answer is another model's."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from alpha_policies import MODELS, PATIENCE_S, Gate, X, assert_same, each_model, each_policy, reference
from onnx_models import conv_stack, save, tinted, unet

from dni_runtime import ModelError, load
from dni_runtime.weights.alpha_file import AlphaFile, read_onnx_file


def delete(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    """Another model takes its place, as the exporter writes it: whole."""
    save(MODELS["laid out"](seed=5), path.with_name("other.onnx"))
    os.replace(path.with_name("other.onnx"), path)


def overwrite(path: Path) -> None:
    """Other bytes in the same file, as `cp` writes them; of the same size, or mapped pages would be gone."""
    size = path.stat().st_size
    with path.open("r+b") as opened:
        opened.write(np.random.default_rng(0).bytes(size))


each_change = pytest.mark.parametrize("change", [delete, replace, overwrite])


@each_change
@pytest.mark.parametrize("policy", ["auto", "dynamic"])
@each_model
def test_results_stay_those_of_the_file_that_was_loaded(
    kind: str, policy: str, change: Callable[[Path], None], tmp_path: Path
):
    proto = MODELS[kind]()
    path = save(proto, tmp_path / "model.onnx")
    with load(path, "cpu", alpha_policy=policy) as model:
        assert_same(model(X, 0.5), reference(proto, 0.5))
        model.settle()
        change(path)
        for alpha in (0.5, 0.31, 0.31, 0.77):
            assert_same(model(X, alpha), reference(proto, alpha))
            model.settle()
            assert_same(model(X, alpha), reference(proto, alpha))


@each_change
@each_model
def test_pinned_models_keep_their_pins_and_refuse_another_file(
    kind: str, change: Callable[[Path], None], tmp_path: Path
):
    proto = MODELS[kind]()
    path = save(proto, tmp_path / "model.onnx")
    with load(path, "cpu", alpha_policy="pinned") as model:
        assert_same(model(X, 0.5), reference(proto, 0.5))
        change(path)
        assert_same(model(X, 0.5), reference(proto, 0.5))
        with pytest.raises(ModelError, match=r"^model\.onnx was changed or removed after it was loaded; load it again"):
            model(X, 0.31)
        assert_same(model(X, 0.5), reference(proto, 0.5))


@each_policy
def test_linked_weights_that_change_are_noticed(policy: str, tmp_path: Path):
    proto = tinted(features=24)
    wanted = reference(proto, 0.5)
    path = save(proto, tmp_path / "model.onnx", external=True)
    with load(path, "cpu", alpha_policy=policy) as model:
        replace(tmp_path / "model.onnx.data")
        if policy == "pinned":
            with pytest.raises(ModelError, match="was changed or removed"):
                model(X, 0.5)
        else:
            for _ in range(3):
                assert_same(model(X, 0.5), wanted)
                assert model.settle() is (policy == "dynamic")


def test_a_file_that_changes_during_a_pin_gives_no_pin(tmp_path: Path, gate: Gate, caplog: pytest.LogCaptureFixture):
    proto = tinted(features=24)
    path = save(proto, tmp_path / "model.onnx")
    with load(path, "cpu") as model:
        model(X, 0.5)
        model(X, 0.5)
        assert gate.begun.wait(PATIENCE_S)
        replace(path)
        gate.open.set()
        assert not model.settle()
        assert "could not be pinned: model.onnx was changed or removed" in caplog.text
        assert_same(model(X, 0.5), reference(proto, 0.5))


def test_pinned_models_fall_back_where_no_session_can_be_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise MemoryError("no room for another session")

    monkeypatch.setattr(AlphaFile, "open_pinned", fail)
    proto = unet()
    path = save(proto, tmp_path / "model.onnx")
    with load(path, "cpu", alpha_policy="pinned") as model:
        assert_same(model(X, 0.5), reference(proto, 0.5))
        delete(path)  # the other session is there
        assert_same(model(X, 0.31), reference(proto, 0.31))


@pytest.mark.parametrize("external", [False, True])
@each_policy
def test_links_to_a_model_are_followed(policy: str, external: bool, tmp_path: Path, gate: Gate):
    """Hugging Face's cache: a folder of links to files that are called by their digests."""
    gate.open.set()
    proto = tinted(features=24)
    wanted = reference(proto, 0.5)
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "main"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    save(proto, snapshot / "model.onnx", external=external)
    for number, file in enumerate(sorted(snapshot.iterdir())):
        shutil.move(file, blobs / f"digest{number}")
        file.symlink_to(f"../../blobs/digest{number}")
    with load(snapshot / "model.onnx", "cpu", alpha_policy=policy) as model:
        for _ in range(3):
            assert_same(model(X, 0.5), wanted)
            assert model.settle()
        assert gate.alphas == ([] if policy == "dynamic" else [(0.5,)])


@pytest.mark.parametrize("external", [False, True])
@each_policy
def test_files_of_several_names_are_read(policy: str, external: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Hard links: package managers share files between environments by them. onnx itself refuses to read such."""
    monkeypatch.setenv("DNI_CACHE_DIR", "")
    proto = MODELS["table"]() if policy == "pinned" else conv_stack(features=24)
    wanted = reference(proto, 0.5)
    save(proto, tmp_path / "model.onnx", external=external)
    (tmp_path / "linked").mkdir()
    for file in tmp_path.glob("model.onnx*"):
        (tmp_path / "linked" / file.name).hardlink_to(file)
    with load(tmp_path / "linked" / "model.onnx", "cpu", alpha_policy=policy) as model:
        assert_same(model(X, 0.5), wanted)
        assert "own layout" in model.alpha_note or "is pinned" in model.alpha_note
        if policy == "pinned":
            assert model._runner._pins.get((0.5,)) is not None  # type: ignore[union-attr]


@pytest.mark.parametrize("location", ["../secret", "/dev/zero", "weights/../../secret", "link"])
def test_weights_outside_of_the_folder_are_refused_unread(location: str, tmp_path: Path):
    proto = conv_stack(features=24)
    (tmp_path / "secret").write_bytes(bytes(100_000))
    (tmp_path / "here" / "weights").mkdir(parents=True)
    (tmp_path / "here" / "link").symlink_to("/dev/zero")
    tensor = next(tensor for tensor in proto.graph.initializer if tensor.name == "first.weight.A")
    length = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    (tmp_path / "here" / "model.onnx").write_bytes(proto.SerializeToString())
    why = "which is (outside of|not relative to) its folder"
    with pytest.raises(ModelError, match=rf"model\.onnx keeps weights in '{re.escape(location)}', {why}"):
        load(tmp_path / "here" / "model.onnx", "cpu")


def test_what_computes_in_half_and_which_weights_are_constant(tmp_path: Path):
    def file(model: onnx.ModelProto) -> AlphaFile:
        found = read_onnx_file(save(model, tmp_path / "model.onnx"))
        assert found is not None
        return found

    alpha_input, plain = file(conv_stack(metadata=None)), file(conv_stack(metadata=None, alpha=0.3))
    assert (alpha_input.half, alpha_input.constant_weights, alpha_input.takes_alpha) == (False, False, True)
    assert (plain.half, plain.constant_weights, plain.takes_alpha) == (False, True, False)

    stored_as_half = conv_stack(metadata=None, alpha=0.3)
    (weight,) = (t for t in stored_as_half.graph.initializer if t.name == "first.weight")
    values = onnx.numpy_helper.to_array(weight).astype(np.float16)
    weight.CopyFrom(onnx.numpy_helper.from_array(values, "first.weight@half"))
    cast = onnx.helper.make_node("Cast", ["first.weight@half"], ["first.weight"], to=onnx.TensorProto.FLOAT)
    stored_as_half.graph.node.insert(0, cast)
    found = file(stored_as_half)
    assert (found.half, found.constant_weights) == (False, True)
    stored_as_half.graph.node[0].op_type = "DequantizeLinear"  # which ONNX Runtime may keep
    assert not AlphaFile(found.path, stored_as_half).constant_weights

    listed = conv_stack(metadata=None, alpha=0.3)
    listed.graph.input.append(onnx.helper.make_tensor_value_info("first.weight", onnx.TensorProto.FLOAT, [8, 3, 3, 3]))
    assert not file(listed).constant_weights
