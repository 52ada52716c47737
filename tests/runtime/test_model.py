"""A model that is loaded: what it computes, what it refuses, and when it is closed."""

import threading
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import METADATA, baked, conv_stack, noise, save, unet

from dni_runtime import AlphaError, InputError, Metadata, ModelError, load, write_metadata


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    with load(save(conv_stack(), tmp_path_factory.mktemp("model") / "model.onnx"), "cpu") as model:
        yield model


# --- running ---


@pytest.mark.parametrize("alpha", [0, 0.3, 0.5, 1])
def test_alpha_blends_the_weights(loaded, alpha):
    x = noise(2, 3, 13, 18)
    result = loaded(conv_stack())(x, alpha)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, loaded(conv_stack(alpha=alpha))(x), atol=1e-6)


@pytest.mark.parametrize(("scale", "size"), [(1.0, (24, 32)), (2.0, (48, 64)), (0.5, (12, 16))])
def test_scales(loaded, scale, size):
    assert loaded(conv_stack(scale=scale))(noise(1, 3, 24, 32), 0.5).shape == (1, 3, *size)


def test_metadata_comes_from_the_file(model):
    assert model.metadata == METADATA


def test_what_another_library_takes_over_stays_as_it_is(model):
    x = noise(1, 3, 24, 32)
    result = np.from_dlpack(model.run_on_device(x, 0.5))
    others = [np.full_like(result, 7) for _ in range(20)]  # what has been freed would be theirs now
    np.testing.assert_array_equal(result, model(x, 0.5))
    assert all((other == 7).all() for other in others)


def test_the_input_is_not_changed(model):
    x = noise(1, 3, 8, 8)
    before = x.copy()
    model(x, 0.5)
    np.testing.assert_array_equal(x, before)


def test_any_strides(model):
    x = noise(1, 8, 9, 3)
    np.testing.assert_array_equal(
        model(x.transpose(0, 3, 1, 2), 0.5), model(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), 0.5)
    )


def test_threads_share_a_model(model):
    x = noise(1, 3, 32, 32)
    alphas = [index / 8 for index in range(9)]
    expected = [model(x, alpha) for alpha in alphas]
    wrong: list[int] = []

    def work(index: int) -> None:
        results = [model(x, alphas[index]) for _ in range(20)]
        wrong.extend(index for result in results if not np.array_equal(result, expected[index]))

    workers = [threading.Thread(target=work, args=(index,)) for index in range(len(alphas))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_float16_models_take_and_give_float32(loaded):
    proto = helper.make_model(
        helper.make_graph(
            [helper.make_node("Mul", ["input", "alpha"], ["output"])],
            "half",
            [
                helper.make_tensor_value_info("input", TensorProto.FLOAT16, ["N", 3, "H", "W"]),
                helper.make_tensor_value_info("alpha", TensorProto.FLOAT16, [1]),
            ],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT16, ["N", 3, "H", "W"])],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    x = noise(1, 3, 4, 4)
    result = loaded(proto)(x, 0.5)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, x * 0.5, atol=1e-3)  # half precision


# --- tensors ---


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (noise(1, 3, 8, 8).astype(np.float64), r"x has dtype float64; expected float32: pass x.astype"),
        (noise(1, 3, 8, 8).astype(np.float16), r"x has dtype float16; expected float32: pass x.astype"),
        (np.zeros((1, 3, 8, 8), np.uint8), r"x has dtype uint8"),
        ([[0.0]], r"x is of type list; expected a NumPy array"),
        (noise(3, 8, 8), r"x has shape \(3, 8, 8\); expected four axes"),
        (noise(1, 4, 8, 8), r"x has shape \(1, 4, 8, 8\), channel count 4; the model takes 3 only"),
        (noise(0, 3, 8, 8), r"x has shape \(0, 3, 8, 8\); expected at least 1"),
        (noise(1, 3, 0, 8), r"x has shape \(1, 3, 0, 8\); expected at least 1"),
    ],
)
def test_unfit_tensors(model, x, message):
    with pytest.raises(InputError, match=message):
        model(x, 0.5)


@pytest.mark.parametrize("shape", [(1, 3, 10, 16), (1, 3, 16, 10), (1, 3, 4, 16)])
def test_size_multiple_and_minimum(loaded, shape):
    with pytest.raises(InputError, match=r"expected multiples of 4, at least 8\..*enhance"):
        loaded(unet())(noise(*shape), 0.5)


def test_square_images_alone(loaded):
    model = unet()
    write_metadata(model, replace(METADATA, size_multiple=4, size_minimum=8, size_square=True))
    assert loaded(model)(noise(2, 3, 16, 16), 0.5).shape == (2, 3, 16, 16)
    with pytest.raises(InputError, match=r"16x20; expected multiples of 4, .*height and width alike\. .*enhance"):
        loaded(model)(noise(1, 3, 16, 20), 0.5)


@pytest.mark.parametrize(
    ("shape", "message"), [((2, 3, 16, 24), "batch size 2; the model takes 1"), ((1, 3, 8, 24), "height 8")]
)
def test_fixed_dimensions(loaded, shape, message):
    model = loaded(conv_stack(shape=(1, 16, 24)))
    assert model(noise(1, 3, 16, 24), 0.5).shape == (1, 3, 16, 24)
    with pytest.raises(InputError, match=message):
        model(noise(*shape), 0.5)


# --- alpha ---


def test_missing_alpha_names_the_range(model):
    with pytest.raises(AlphaError, match=r"model.onnx needs alpha, it has no default: pass alpha=0\.\.1"):
        model(noise(1, 3, 8, 8))


@pytest.mark.parametrize("alpha", [float("nan"), float("inf"), -1, 2])
def test_unfit_alpha_is_refused_before_anything_runs(model, alpha):
    with pytest.raises(AlphaError, match=r"out of range"):
        model(noise(1, 3, 8, 8), alpha)


def test_wider_range_comes_from_the_metadata(loaded):
    wide = loaded(conv_stack(metadata=replace(METADATA, alpha_range=(-0.5, 1.5))))
    x = noise(1, 3, 8, 8)
    a, b = wide(x, 1.5), wide(x, 1.0)
    assert abs(a - b).max() > 1e-3
    with pytest.raises(AlphaError, match=r"-0\.5\.\.1\.5"):
        wide(x, 1.6)


def test_default_alpha(loaded):
    model = loaded(conv_stack(alpha_default=0.3))
    x = noise(1, 3, 8, 8)
    np.testing.assert_array_equal(model(x), model(x, 0.3))
    assert abs(model(x, 0.9) - model(x)).max() > 1e-3
    assert model.check_alpha(None) == (0.3,)


def test_baked_model_takes_its_own_alpha_only(loaded):
    model = loaded(baked(0.3))
    x = noise(1, 3, 8, 8)
    np.testing.assert_array_equal(model(x), model(x, np.float32(0.3)))
    assert model.check_alpha(None) == (0.3,)
    with pytest.raises(AlphaError, match=r"alpha is 0.5, but .* is baked for 0.3; .*dni-export A B --alpha-input"):
        model(x, 0.5)
    with pytest.raises(AlphaError, match="out of range"):
        model(x, 7)


def test_a_model_without_alpha_takes_none(loaded):
    model = loaded(conv_stack(alpha=0.5, metadata=None))
    assert model.check_alpha(None) is None
    assert model(noise(1, 3, 8, 8)).shape == (1, 3, 8, 8)
    with pytest.raises(AlphaError, match="has no alpha; call it without one"):
        model(noise(1, 3, 8, 8), 0.5)


# --- models of other tools ---


def foreign(inputs, output="result", alpha_shape=(1,)):
    infos = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs]
    first = inputs[0][0]
    nodes = [helper.make_node("Identity", [first], [output])]
    if any(name == "alpha" for name, _, _ in inputs):
        nodes = [helper.make_node("Mul", [first, "alpha"], [output])]
    graph = helper.make_graph(
        nodes, "foreign", infos, [helper.make_tensor_value_info(output, inputs[0][1], inputs[0][2])]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


IMAGE = ["N", 3, "H", "W"]


def test_other_names_and_no_metadata(loaded):
    model = loaded(foreign([("picture", TensorProto.FLOAT, IMAGE)]))
    x = noise(1, 3, 5, 7)
    np.testing.assert_array_equal(model(x), x)
    assert model.metadata == Metadata()


@pytest.mark.parametrize("shape", [[], [1], ["K"]])
def test_alpha_of_any_shape(loaded, shape):
    model = loaded(foreign([("picture", TensorProto.FLOAT, IMAGE), ("alpha", TensorProto.FLOAT, shape)]))
    x = noise(1, 3, 5, 7)
    np.testing.assert_allclose(model(x, 0.25), x * 0.25, rtol=1e-6)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([("a", TensorProto.FLOAT, IMAGE), ("b", TensorProto.FLOAT, IMAGE)], "inputs 'a', 'b'; expected one"),
        ([("a", TensorProto.FLOAT, [1, 3])], r"'a' is a tensor\(float\) of shape \[1, 3\]; expected a float"),
        ([("a", TensorProto.INT64, IMAGE)], r"'a' is a tensor\(int64\)"),
        (
            [("a", TensorProto.DOUBLE, IMAGE), ("alpha", TensorProto.DOUBLE, [1])],
            r"'a' is a tensor\(double\)",
        ),
    ],
)
def test_models_that_take_no_image(loaded, inputs, message):
    with pytest.raises(ModelError, match=message):
        loaded(foreign(inputs))


# --- closing ---


def test_a_closed_model_says_so(tmp_path):
    with load(save(conv_stack(), tmp_path / "model.onnx"), "cpu") as model:
        assert repr(model) == "<dni_runtime.Model model.onnx (cpu)>"
    assert repr(model) == "<dni_runtime.Model model.onnx (closed)>"
    with pytest.raises(ModelError, match=r"model\.onnx is closed; load it again"):
        model(noise(1, 3, 8, 8), 0.5)
    with pytest.raises(ModelError, match=r"model\.onnx is closed; load it again"):
        model.enhance(np.zeros((8, 8, 3), np.uint8), 0.5)
    model.close()


def test_failure_in_the_middle_is_a_model_error(loaded):
    node = helper.make_node("Reshape", ["input", "shape"], ["output"])
    shape = onnx.numpy_helper.from_array(np.array([1, 3, 4, 4]), "shape")
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "reshape",
        [info("input", TensorProto.FLOAT, IMAGE)],
        [info("output", TensorProto.FLOAT, [1, 3, 4, 4])],
        [shape],
    )
    model = loaded(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9))
    with pytest.raises(ModelError, match=r"model0.onnx failed on cpu: .*Reshape"):
        model(noise(1, 3, 8, 8))
