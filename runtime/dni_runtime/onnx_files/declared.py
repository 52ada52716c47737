"""What a model in memory says of its inputs and outputs, as a session of it would."""

from dataclasses import dataclass

import onnx

from .tensors import type_name


@dataclass(frozen=True, slots=True)
class DeclaredValue:
    """A graph's input or output in ONNX Runtime's words."""

    name: str
    type: str
    shape: list[int | str | None]


class Declared:
    """What a session of `model` would say of its inputs and outputs, without making one."""

    def __init__(self, model: onnx.ModelProto) -> None:
        stored = {tensor.name for tensor in model.graph.initializer}
        inputs = [_declared(value) for value in model.graph.input]
        self._inputs = [value for value in inputs if value.name not in stored]
        self._optional = [value for value in inputs if value.name in stored]
        self._outputs = [_declared(value) for value in _typed(model).graph.output]

    def get_inputs(self) -> list[DeclaredValue]:
        return self._inputs

    def get_overridable_initializers(self) -> list[DeclaredValue]:
        return self._optional

    def get_outputs(self) -> list[DeclaredValue]:
        return self._outputs


def _typed(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model`, with types of outputs that say none, as ONNX Runtime infers them."""
    if all(value.HasField("type") for value in model.graph.output):
        return model
    try:
        return onnx.shape_inference.infer_shapes(model)
    except Exception:  # of onnx, in C++: the session says what is wrong
        return model


def _declared(value: onnx.ValueInfoProto) -> DeclaredValue:
    if not value.type.HasField("tensor_type"):
        kind = str(value.type.WhichOneof("value")).removesuffix("_type")  # sequence, map, ...
        return DeclaredValue(value.name, kind, [])
    tensor = value.type.tensor_type
    dims = [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None for dim in tensor.shape.dim]
    return DeclaredValue(value.name, f"tensor({type_name(tensor.elem_type)})", dims)
