"""Small models that a stranger may write: nothing here checks them."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper


def image(sizes: object = ("N", 3, "H", "W"), kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("input", kind, sizes)


def result(sizes: object = None, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("output", kind, sizes)


def model(
    *nodes: onnx.NodeProto,
    inputs: tuple[onnx.ValueInfoProto, ...] = (image(),),
    outputs: tuple[onnx.ValueInfoProto, ...] = (result(),),
    weights: tuple[onnx.TensorProto, ...] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes or [helper.make_node("Identity", ["input"], ["output"])], "g", inputs, outputs)
    graph.initializer.extend(weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def written(content: onnx.ModelProto | bytes, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    return path
