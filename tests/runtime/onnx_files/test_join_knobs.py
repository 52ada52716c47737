"""The inputs of knobs become one in memory: what is computed stays the same, and a stranger's file is refused."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnx.external_data_helper import set_external_data
from onnx_models import METADATA, conv_stack, noise
from with_knobs import KNOB, with_knob

from dni_runtime import ModelError, read_metadata, write_metadata
from dni_runtime.alpha import Knob
from dni_runtime.onnx_files.join_knobs import join_knobs

IMAGE = noise(1, 3, 12, 10)


def outputs(model: onnx.ModelProto, **alphas: list[float]) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = {"input": IMAGE, **{name: np.array(value, np.float32) for name, value in alphas.items()}}
    (y,) = session.run(["output"], feed)
    return np.asarray(y)


def joined(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    join_knobs(copy)
    onnx.checker.check_model(copy)
    return copy


def test_one_alpha_of_two_numbers_gives_the_same_bits():
    apart = with_knob()
    together = joined(apart)
    assert [(i.name, [d.dim_value for d in i.type.tensor_type.shape.dim][:1]) for i in together.graph.input[1:]] == [
        ("alpha", [2])
    ]
    for first, second in ((0.2, 0.9), (1.0, 0.0), (0.5, 0.5)):
        expected = outputs(apart, alpha=[first], alpha_late=[second])
        np.testing.assert_array_equal(outputs(together, alpha=[first, second]), expected)
    assert not np.array_equal(outputs(together, alpha=[0.2, 0.9]), outputs(together, alpha=[0.9, 0.2]))


def test_defaults_are_joined_too():
    np.testing.assert_array_equal(outputs(joined(with_knob((0.3, 0.8)))), outputs(with_knob((0.3, 0.8))))


def test_nodes_inside_of_others_see_them():
    model = with_knob()
    inner = helper.make_graph(
        [helper.make_node("Identity", [KNOB.input_name], ["chosen"])],
        "branch",
        [],
        [helper.make_tensor_value_info("chosen", TensorProto.FLOAT, [1])],
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(True), "yes"))
    model.graph.node.insert(
        0, helper.make_node("If", ["yes"], ["late"], then_branch=inner, else_branch=inner, name="choice")
    )
    for node in model.graph.node:
        if node.op_type == "Mul" and node.input[1] == KNOB.input_name:
            node.input[1] = "late"
    expected = outputs(model, alpha=[0.2], alpha_late=[0.9])
    np.testing.assert_array_equal(outputs(joined(model), alpha=[0.2, 0.9]), expected)


@pytest.mark.parametrize("make", [conv_stack, lambda: conv_stack(metadata=None), lambda: conv_stack(alpha=0.5)])
def test_other_models_stay_as_they_are(make):
    model = make()
    assert joined(model) == model


def wrong_type() -> onnx.ModelProto:
    model = with_knob()
    model.graph.input[2].type.tensor_type.elem_type = TensorProto.DOUBLE
    return model


def wrong_shape() -> onnx.ModelProto:
    model = with_knob()
    model.graph.input[2].type.tensor_type.shape.dim[0].dim_value = 2
    return model


def another_name() -> onnx.ModelProto:
    model = with_knob()
    metadata = read_metadata(model)
    assert metadata is not None
    write_metadata(model, replace(metadata, alpha_knobs=(Knob("early", ("first.*",)),)))
    return model


def none_at_all() -> onnx.ModelProto:
    model = conv_stack()
    write_metadata(model, replace(METADATA, alpha_knobs=(KNOB,)))
    return model


def wrong_default() -> onnx.ModelProto:
    model = with_knob((0.3, 0.8))
    model.graph.initializer[-1].CopyFrom(onnx.numpy_helper.from_array(np.zeros(2, np.float32), KNOB.input_name))
    return model


def default_outside() -> onnx.ModelProto:
    """In a file that would be looked for in the working directory."""
    model = with_knob((0.3, 0.8))
    set_external_data(model.graph.initializer[-1], "w.data")
    return model


@pytest.mark.parametrize("make", [wrong_type, wrong_shape, another_name, none_at_all, wrong_default, default_outside])
def test_what_the_metadata_names_has_to_be_there(make):
    with pytest.raises(
        ModelError, match=r"names the inputs alpha, alpha_\w+, and it does not have them all as float32 \[1\]"
    ):
        joined(make())
