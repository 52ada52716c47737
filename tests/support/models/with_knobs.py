"""A small real ONNX model whose second convolution has an alpha of its own, `alpha_late`."""

from dataclasses import replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx_models import METADATA, conv_stack

from dni_runtime import write_metadata
from dni_runtime.alpha import Knob

KNOB = Knob("late", ("second.*",))


def with_knob(default: tuple[float, float] | None = None) -> onnx.ModelProto:
    """`conv_stack`, all else equal. `default`: of alpha and of the knob."""
    model = conv_stack()
    graph = model.graph
    late = {"alpha": KNOB.input_name, "rest": "rest_late"}
    for node in graph.node:
        if node.op_type == "Mul" and node.input[0].startswith("second."):
            node.input[1] = late[node.input[1]]
    graph.node.insert(0, helper.make_node("Sub", ["one", KNOB.input_name], ["rest_late"]))
    graph.input.append(helper.make_tensor_value_info(KNOB.input_name, TensorProto.FLOAT, [1]))
    for name, value in zip(("alpha", KNOB.input_name), default or (), strict=False):
        graph.initializer.append(numpy_helper.from_array(np.array([value], np.float32), name))
    write_metadata(model, replace(METADATA, alpha_knobs=(KNOB,), alpha_default=default))
    return model
