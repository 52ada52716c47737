"""Files that OpenVINO is given: weights outside of them, damaged ones, and ones that change after they were loaded."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from alpha_policies import (
    ALPHAS,
    MODELS,
    X,
    assert_same,
    each_model,
    each_policy,
    reference,
)
from onnx_models import conv_stack, noise, save

from dni_runtime import ModelError, load


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
