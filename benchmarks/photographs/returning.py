"""A network that returns its input: all that a result has beside the pixels that were read is the program's own."""

import onnx
from onnx import TensorProto, helper

from dni_runtime import Endpoint, Metadata, write_metadata

_METADATA = Metadata(
    endpoints=(Endpoint("a.safetensors", "00" * 32), Endpoint("b.safetensors", "11" * 32)), alpha_pinned=(1.0,),
    architecture="Identity", scale=1.0, overlap=0, color="RGB", opset=18, tool="benchmarks/photographs",
)  # fmt: skip


def returning() -> onnx.ModelProto:
    """Float32 (N, 3, H, W), RGB, to itself."""
    image, result = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, "H", "W"]) for name in ("input", "output")
    )
    graph = helper.make_graph([helper.make_node("Identity", ["input"], ["output"])], "network", [image], [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    write_metadata(model, _METADATA)
    return model
