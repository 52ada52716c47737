"""Files that a model is loaded from: weights beside it, linked ones, damaged ones."""

from pathlib import Path

import numpy as np
import onnx
import onnx.external_data_helper
import pytest
from onnx_models import conv_stack, noise, save

from dni_runtime import ModelError, load


def test_external_data(loaded):
    x = noise(1, 3, 8, 8)
    np.testing.assert_array_equal(loaded(conv_stack(), external=True)(x, 0.5), loaded(conv_stack())(x, 0.5))


def test_weights_linked_out_of_safetensors(tmp_path):
    """A tensor at an offset of a .safetensors file, as `--weights link` writes it."""
    safetensors = pytest.importorskip("safetensors.numpy")
    proto = conv_stack()
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in proto.graph.initializer if t.name.endswith(".A")}
    (tmp_path / "weights").mkdir()
    safetensors.save_file(tensors, tmp_path / "weights" / "a.safetensors")
    raw = (tmp_path / "weights" / "a.safetensors").read_bytes()
    for tensor in proto.graph.initializer:
        if tensor.name in tensors:
            data = tensors[tensor.name].tobytes()
            onnx.external_data_helper.set_external_data(
                tensor, "weights/a.safetensors", offset=raw.index(data), length=len(data)
            )
            tensor.ClearField("raw_data")
    x = noise(1, 3, 8, 8)
    with (
        load(save(proto, tmp_path / "linked.onnx"), "cpu") as linked,
        load(save(conv_stack(), tmp_path / "whole.onnx"), "cpu") as whole,
    ):
        np.testing.assert_array_equal(linked(x, 0.7), whole(x, 0.7))


def damaged(folder: Path, kind: str) -> Path:
    path = save(conv_stack(), folder / "model.onnx", external=kind.startswith("weights"))
    whole = path.read_bytes()
    data = folder / "model.onnx.data"
    match kind:
        case "missing":
            path.unlink()
        case "folder":
            path.unlink()
            path.mkdir()
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("this is no model, whatever its name says\n")
        case "truncated":
            path.write_bytes(whole[: len(whole) // 2])
        case "short":
            path.write_bytes(whole[:-1])
        case "weights missing":
            data.unlink()
        case "weights truncated":
            data.write_bytes(data.read_bytes()[:100])
        case "unknown operator":
            proto = onnx.load(path)
            proto.graph.node[-1].op_type = "Sharpen"
            onnx.save(proto, path)
        case "bad metadata":
            proto = onnx.load(path)
            proto.metadata_props[0].value = "{"
            onnx.save(proto, path)
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "model.onnx does not exist; expected an .onnx file"),
        ("folder", "model.onnx is a folder; expected an .onnx file"),
        ("empty", "model.onnx is empty; .*copy or export it again"),
        ("text", "model.onnx is not an ONNX file, or only a part of one: copy or export it again"),
        ("truncated", "model.onnx is not an ONNX file, or only a part of one"),
        ("short", "model.onnx is not an ONNX file, or only a part of one"),
        ("weights missing", r"weights file that is missing or damaged \(model.onnx.data\); put it beside"),
        (
            "weights truncated",
            r"needs bytes 0 to 864 of the weights file 'model.onnx.data', which has 100: ",
        ),
        ("unknown operator", "model.onnx cannot be loaded: .*Sharpen"),
        ("bad metadata", "metadata .*cannot be read"),
    ],
)
def test_damaged_files(tmp_path, kind, message):
    with pytest.raises(ModelError, match=message):
        load(damaged(tmp_path, kind), "cpu")


@pytest.mark.parametrize("kind", ["text", "weights missing", "weights truncated"])
def test_damaged_files_print_nothing(tmp_path, capfd, kind):
    with pytest.raises(ModelError):
        load(damaged(tmp_path, kind), "auto")
    assert capfd.readouterr() == ("", "")


def test_a_checkpoint_is_told(tmp_path):
    (tmp_path / "weak.pth").write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelError, match=r"weak\.pth is a checkpoint; .* dni-export A\.pth B\.pth makes one of two"):
        load(tmp_path / "weak.pth", "cpu")


def test_path_as_text(tmp_path):
    load(str(save(conv_stack(), tmp_path / "model.onnx")), "cpu").close()
