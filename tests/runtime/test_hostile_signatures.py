"""Models of other tools that make no images of images: one sentence, but from `inspect`, which tells what they are."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from commands import dni
from hostile_models import image, model, result, written
from onnx import TensorProto, helper, numpy_helper
from onnx_models import conv_stack, noise, picture, save
from photographs import save_image

from dni_deploy.model_report import inspect_model
from dni_deploy.ship.model_file import read_model_file
from dni_runtime import ModelError, load
from dni_runtime.onnx_files.explaining import strip

X = noise(1, 3, 16, 16)
TENSOR = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
SEQUENCE = helper.make_sequence_type_proto(TENSOR)
NO_IMAGE: dict[str, tuple[onnx.ModelProto, str]] = {
    "no inputs": (model(inputs=()), "the model has the inputs none; expected one image input, and alpha"),
    "two of one name": (model(inputs=(image(), image())), "several inputs of one name: 'input', 'input'"),
    "no outputs": (model(outputs=()), "the model has no outputs; expected one image"),
    "a sequence": (model(inputs=(helper.make_value_info("input", SEQUENCE),)), "'input' is a sequence of shape"),
    "an optional": (
        model(inputs=(helper.make_value_info("input", helper.make_optional_type_proto(TENSOR)),)),
        "'input' is a optional of shape",
    ),
    "a sequence comes out": (
        model(outputs=(helper.make_value_info("output", SEQUENCE),)),
        r"'output' is a sequence of shape \[\]; expected a tensor of numbers of shape \[N, C, H, W\]",
    ),
    "text comes out": (model(outputs=(result(kind=8),)), r"'output' is a tensor\(string\)"),
    "a table comes out": (
        model(helper.make_node("Flatten", ["input"], ["output"]), outputs=(result(["N", "K"]),)),
        r"'output' is a tensor\(float\) of shape \['N', 'K'\]",
    ),
    "an unknown type": (model(inputs=(image(kind=99),)), r"'input' is a tensor\(type 99\)"),
    "a huge image": (model(inputs=(image([1, 3, 2**40, 8]),)), "larger than any image; expected at most 268435456"),
    "many channels": (model(inputs=(image([1, 2**30, "H", "W"]),)), "larger than any image"),
    "many alphas": (
        model(inputs=(image(), helper.make_tensor_value_info("alpha", TensorProto.FLOAT, [2**40]))),
        f"'alpha' has the shape \\[{2**40}\\]; expected",
    ),
}


@pytest.mark.parametrize("name", NO_IMAGE)
def test_what_is_no_image_model_is_told_before_anything_runs(name: str, tmp_path: Path):
    proto, message = NO_IMAGE[name]
    path = written(proto, tmp_path)
    with pytest.raises(ModelError, match=message):
        read_model_file(path)
    dni("inspect", path).assert_ok()
    image_file = save_image(tmp_path / "in.png", picture(8, 8, 3))
    answer = dni("run", path, image_file, "-o", tmp_path / "out.png", "--provider", "cpu")
    # Where it refuses it, ONNX Runtime has a sentence of its own.
    answer.assert_error("cannot be loaded: " if name in REFUSED_BEFORE else "the model")
    assert "/onnxruntime" not in answer.err
    assert not (tmp_path / "out.png").exists()


REFUSED_BEFORE = {
    *("no inputs", "two of one name", "a sequence", "an optional", "an unknown type"),
    *("a sequence comes out", "text comes out"),
}


def test_a_result_whose_axes_nobody_knows(tmp_path: Path):
    path = written(model(helper.make_node("Squeeze", ["input"], ["output"])), tmp_path)
    with (
        load(path, "cpu") as loaded,
        pytest.raises(ModelError, match=r"made a result of shape \(3, 6, 2\) from one of"),
    ):
        loaded(np.zeros((1, 3, 6, 2), np.float32))


# --- ONNX Runtime's words ---


def test_errors_at_run_time_name_no_source_file(tmp_path: Path):
    shape = numpy_helper.from_array(np.array([7, 7, 1, 1], np.int64), "k")
    path = written(model(helper.make_node("Reshape", ["input", "k"], ["output"]), weights=(shape,)), tmp_path)
    with load(path, "cpu") as loaded, pytest.raises(ModelError) as caught:
        loaded(np.zeros((1, 3, 8, 8), np.float32))
    text = str(caught.value)
    assert "onnxruntime" not in text
    assert "The input tensor cannot be reshaped to the requested shape. Input shape:{1,3,8,8}" in text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("[ONNXRuntimeError] : 1 : FAIL : no op (x) there", "no op (x) there"),
        ("/a/b/c.cc:9 void* onnxruntime::A::B(size_t, bool) Failed to get 3", "Failed to get 3"),
        ("At /a.h:1 int onnxruntime::(anonymous namespace)::F(T&) const [with T = int] was false.", "At was false."),
        ("graph.cc:12 Resolve This is (not) a graph", "graph.cc:12 Resolve This is (not) a graph"),
        ("Load model from /x/m.onnx failed:Invalid model. No z", "Invalid model. No z"),
        ("", "Exception"),
    ],
)
def test_what_is_kept_of_an_error(words: str, expected: str):
    assert strip(Exception(words)) == expected


@pytest.mark.parametrize(("value", "wanted"), [(3e37, 255), (-3e37, 0), (3e38, None)])
def test_values_beyond_all_numbers_are_clipped_without_a_warning(value: float, wanted: int | None, tmp_path: Path):
    proto = conv_stack()
    for tensor in proto.graph.initializer:
        if tensor.name.startswith("second.bias."):
            tensor.CopyFrom(numpy_helper.from_array(np.full(tensor.dims, value, np.float32), tensor.name))
        elif tensor.name.startswith("first.weight.") and wanted is None:
            tensor.CopyFrom(numpy_helper.from_array(np.full(tensor.dims, np.inf, np.float32), tensor.name))
    with load(save(proto, tmp_path / "model.onnx"), "cpu") as loaded:
        if wanted is None:
            with pytest.raises(ModelError, match="the network's output holds NaN"):
                loaded.enhance(picture(8, 8, 3), 0.5)
        else:
            assert (loaded.enhance(picture(8, 8, 3), 0.5) == wanted).all()


def test_a_good_model_is_read_as_before(tmp_path: Path):
    path = save(conv_stack(features=24), tmp_path / "model.onnx")
    assert {weight.name for weight in inspect_model(path).weights} >= {"first.weight.A", "one"}
    dni("inspect", path).assert_ok()


@pytest.mark.parametrize("provider", ["cpu", "openvino"])
def test_an_output_that_leaves_its_type_to_be_inferred_is_an_image(tmp_path: Path, provider: str):
    proto = conv_stack()
    with load(save(proto, tmp_path / "typed.onnx"), provider) as loaded:
        expected = loaded(X, 0.3)
    proto.graph.output[0].ClearField("type")
    with load(save(proto, tmp_path / "model.onnx"), provider) as loaded:
        np.testing.assert_array_equal(loaded(X, 0.3), expected)
