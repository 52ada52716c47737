"""The small network of all models and checkpoints here: two convolutions, weights from a seed."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from dni_runtime import Endpoint, Metadata, pin, write_metadata

_FEATURES = 8
_METADATA = Metadata(
    endpoints=(Endpoint("a.safetensors", "00" * 32), Endpoint("b.safetensors", "11" * 32)),
    architecture="ConvStack", scale=1.0, overlap=2, color="RGB", opset=18, tool="benchmarks/hostile",
)  # fmt: skip


def weights(seed: int) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    shapes = {"first.weight": (_FEATURES, 3, 3, 3), "first.bias": (_FEATURES,), "last.weight": (3, _FEATURES, 3, 3),
              "last.bias": (3,)}  # fmt: skip
    return {name: (0.1 * rng.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}


def alpha_input(*, image: str = "input", alpha: str = "alpha", output: str = "output") -> onnx.ModelProto:
    """The blend of two networks, alpha an input. The names are those of its inputs and its output."""
    tensors = [numpy_helper.from_array(np.ones(1, np.float32), "one")]
    nodes = [helper.make_node("Sub", ["one", alpha], ["rest"])]
    for name, a in weights(1).items():
        b = a + 0.1 * weights(2)[name]
        tensors += [numpy_helper.from_array(a, f"{name}@A"), numpy_helper.from_array(b, f"{name}@B")]
        nodes += [
            helper.make_node("Mul", [f"{name}@A", alpha], [f"{name}.a"]),
            helper.make_node("Mul", [f"{name}@B", "rest"], [f"{name}.b"]),
            helper.make_node("Add", [f"{name}.a", f"{name}.b"], [name]),
        ]
    nodes += [
        helper.make_node("Conv", [image, "first.weight", "first.bias"], ["x"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("Conv", ["y", "last.weight", "last.bias"], [output], pads=[1, 1, 1, 1]),
    ]
    inputs = [
        helper.make_tensor_value_info(image, TensorProto.FLOAT, ["N", 3, "H", "W"]),
        helper.make_tensor_value_info(alpha, TensorProto.FLOAT, [1]),
    ]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", 3, "H", "W"])]
    model = helper.make_model(
        helper.make_graph(nodes, "network", inputs, outputs, tensors),
        opset_imports=[helper.make_opsetid("", 18)], ir_version=9,
    )  # fmt: skip
    write_metadata(model, _METADATA)
    return model


def baked() -> onnx.ModelProto:
    return pin(alpha_input(), 0.5)
