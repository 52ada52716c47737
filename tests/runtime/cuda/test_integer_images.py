import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import conv_stack, picture, unet

from dni_runtime.cuda.integer_images import NAN_OUTPUT, with_integer_images
from dni_runtime.images.conversion import from_batch, to_batch, to_float, write_pixels

DTYPES = (np.uint8, np.uint16)
RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-0.3, 1.7))


def session(model):
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run_integers(model, images, value_range, **feed):
    """Images (N, H, W, C) through the wrapped graph: its two outputs."""
    wrapped = with_integer_images(model, "input", "output", value_range, images.dtype.type)
    return session(wrapped).run(["output", NAN_OUTPUT], {"input": images, **feed})


def run_floats(model, images, value_range, **feed):
    """The same, converted and rounded by NumPy."""
    loaded = session(model)
    kind = np.float16 if loaded.get_inputs()[0].type == "tensor(float16)" else np.float32
    x = to_float(np.concatenate([to_batch(image, images.shape[3]) for image in images]), value_range)
    (y,) = loaded.run(["output"], {"input": x.astype(kind), **feed})
    results = []
    for planes in y.astype(np.float32):
        image = from_batch(planes[None], images.shape[3], images.shape[3])
        results.append(np.empty(image.shape, images.dtype))
        write_pixels(image, results[-1], value_range)
    return np.stack(results)


def given_values(values, kind=np.float32, opset=18):
    """A network that gives `values`, (1, 1, 1, n), whatever it takes."""
    nodes = [
        helper.make_node("Mul", ["input", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "values"], ["output"]),
    ]
    array = np.array(values, kind).reshape(1, 1, 1, -1)
    constants = [numpy_helper.from_array(np.zeros((), kind), "zero"), numpy_helper.from_array(array, "values")]
    tensors = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), shape)
        for name, shape in (("input", [1, 1, 1, 1]), ("output", array.shape))
    ]
    graph = helper.make_graph(nodes, "values", tensors[:1], tensors[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def integers(model, value_range=(0.0, 1.0), dtype=np.uint8):
    """What a network of `given_values` comes to, and what its second output says."""
    y, nan = run_integers(model, np.zeros((1, 1, 1, 1), dtype), value_range)
    assert y.dtype == dtype
    assert nan.shape == (1,)
    return y.ravel(), nan[0]


def half(model):
    """A copy of `model` in float16, inputs and outputs too."""
    new = onnx.ModelProto()
    new.CopyFrom(model)
    for tensor in new.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    for value in (*new.graph.input, *new.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    return new


# Conv is the last node of the first: nothing of what follows may be folded into its weights.
@pytest.mark.parametrize("name", ["scale 1", "scale 2", "scale 0.5", "grey", "unet"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_networks_give_the_float_ways_pixels(name, dtype):
    model = {
        "scale 1": lambda: conv_stack(alpha=0.4),
        "scale 2": lambda: conv_stack(alpha=0.4, scale=2),
        "scale 0.5": lambda: conv_stack(alpha=0.4, scale=0.5),
        "grey": lambda: conv_stack(alpha=0.4, channels=1),
        "unet": lambda: unet(alpha=0.4),
    }[name]()
    images = picture(2, 16, 24, 1 if name == "grey" else 3, dtype=dtype)
    for value_range in RANGES:
        y, nan = run_integers(model, images, value_range)
        np.testing.assert_array_equal(y, run_floats(model, images, value_range))
        assert y.flags.c_contiguous
        assert nan == 0
    assert len(np.unique(y)) > 50


def test_a_last_convolution_keeps_its_rounding():
    """The Mul after it would be folded into its weights, if nothing else read what it gives."""
    model = conv_stack(alpha=0.4)
    assert model.graph.node[-1].op_type == "Identity"
    model.graph.node[-2].output[0] = "output"
    del model.graph.node[-1]
    images = picture(1, 200, 200, 3, dtype=np.uint16)
    np.testing.assert_array_equal(run_integers(model, images, (0, 1))[0], run_floats(model, images, (0, 1)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_integer_goes_in_and_out_as_it_does_with_numpy(dtype):
    ramp = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(1, 1, -1, 1)
    identity = helper.make_model(
        helper.make_graph(
            [helper.make_node("Identity", ["input"], ["output"])],
            "identity",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 1, 1, "W"])],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, 1, "W"])],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    for value_range in RANGES:
        y, _ = run_integers(identity, ramp, value_range)
        np.testing.assert_array_equal(y, ramp)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value_range", RANGES)
def test_rounding_and_clipping_are_numpys(dtype, value_range):
    low, high = value_range
    largest = np.iinfo(dtype).max
    halves = (np.arange(-3, largest + 3) + 0.5) / largest * (high - low) + low
    near = [np.nextafter(halves.astype(np.float32), side, dtype=np.float32) for side in (-np.inf, np.inf)]
    values = np.concatenate([halves, *near, [-1e30, 1e30, -np.inf, np.inf, -0.0, 1e-40]]).astype(np.float32)
    expected = np.empty((1, len(values), 1), dtype)
    write_pixels(values.reshape(1, -1, 1).copy(), expected, value_range)
    y, nan = integers(given_values(values), value_range, dtype)
    np.testing.assert_array_equal(y, expected.ravel())
    assert nan == 0  # infinity is not NaN: it is clipped


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_nan_is_told(dtype, kind):
    values = np.linspace(-1, 2, 1000)
    assert integers(given_values(values, kind), dtype=dtype)[1] == 0
    values[[7, 999]] = np.nan
    assert integers(given_values(values, kind), dtype=dtype)[1] == 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_half_networks_round_in_float32(dtype):
    values = np.linspace(-0.1, 1.1, 4000).astype(np.float16)
    largest = np.iinfo(dtype).max
    expected = np.clip(np.rint(values.astype(np.float32) * np.float32(largest)), 0, largest)
    np.testing.assert_array_equal(integers(given_values(values, np.float16), dtype=dtype)[0], expected)


def test_half_networks_take_what_the_float_way_gives_them():
    model = half(conv_stack(alpha=0.4, scale=2))
    images = picture(2, 16, 24, 3)
    y, _ = run_integers(model, images, (0.0, 1.0))
    expected = run_floats(model, images, (0.0, 1.0))
    # The CPU computes in float32 whatever it can, and keeps more or fewer values in float16 as the graph is cut.
    assert abs(y.astype(int) - expected.astype(int)).max() <= 1
    assert (y != expected).mean() < 0.05


@pytest.mark.parametrize("opset", [13, 17, 18, 19, 20, 21, 22])
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_opset(opset, dtype):
    np.testing.assert_array_equal(
        integers(given_values([-1, 0, 0.5, 1, 2], opset=opset), dtype=dtype)[0],
        np.array([0, 0, round(np.iinfo(dtype).max / 2), np.iinfo(dtype).max, np.iinfo(dtype).max]),
    )


def test_other_inputs_and_the_model_itself_stay_as_they_are():
    model = conv_stack(shape=(1, 16, "W"))
    before = model.SerializeToString()
    wrapped = with_integer_images(model, "input", "output", (0, 1), np.uint8)
    assert model.SerializeToString() == before
    image, alpha = wrapped.graph.input
    assert alpha == model.graph.input[1]
    assert image.type.tensor_type.elem_type == TensorProto.UINT8
    dims = [dim.dim_value or dim.dim_param for dim in image.type.tensor_type.shape.dim]
    assert dims == [1, 16, "W", 3]
    images, alpha = picture(1, 16, 20, 3), np.array([0.3], np.float32)
    y, _ = run_integers(model, images, (0, 1), alpha=alpha)
    np.testing.assert_array_equal(y, run_floats(model, images, (0, 1), alpha=alpha))


def test_values_are_renamed_in_subgraphs_too():
    """A network with a branch that reads the image and what becomes of it."""
    branches = [
        helper.make_graph(
            [helper.make_node(kind, ["input", "input"], [kind])],
            kind,
            [],
            [helper.make_tensor_value_info(kind, TensorProto.FLOAT, None)],
        )
        for kind in ("Add", "Mul")
    ]
    tensors = [
        helper.make_tensor_value_info(name, kind, shape)
        for name, kind, shape in (
            ("input", TensorProto.FLOAT, [1, 1, "H", "W"]),
            ("double", TensorProto.BOOL, []),
            ("output", TensorProto.FLOAT, [1, 1, "H", "W"]),
        )
    ]
    node = helper.make_node("If", ["double"], ["output"], then_branch=branches[0], else_branch=branches[1])
    graph = helper.make_graph([node], "branches", tensors[:2], tensors[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    image = picture(1, 4, 5, 1) // 2
    np.testing.assert_array_equal(run_integers(model, image, (0, 1), double=np.array(True))[0], image * 2)
