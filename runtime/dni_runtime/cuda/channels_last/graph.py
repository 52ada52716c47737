"""What is known of a body's values before it is rewritten to channels-last: shapes, types and constants."""

from typing import Any, TypeAlias

import numpy.typing as npt
import onnx
from onnx.numpy_helper import to_array

from dni_runtime.weights.split import RESHAPES

Array = npt.NDArray[Any]
Dims: TypeAlias = tuple[int | None, ...]

# Transpose's perm. The second one also tells where an axis of [N, C, H, W] is in [N, H, W, C].
TO_LAST, TO_PLAIN = [0, 2, 3, 1], [0, 3, 1, 2]


class Graph:
    """A body, whose first graph input is the image, and whose others are weights.

    outputs:    names of the graph's outputs.
    producer:   the node that makes a value.
    constants:  values of initializers, but for those in another file.
    dims:       shapes, None for what is not fixed; values without one are of unknown rank.
    kinds:      ONNX element types.
    """

    def __init__(self, body: onnx.ModelProto) -> None:
        self.body = body
        self.image, *weights = (value.name for value in body.graph.input)
        self.weights = frozenset(weights)
        self.outputs = [value.name for value in body.graph.output]
        self.producer = {name: node for node in body.graph.node for name in node.output if name}
        inline = (tensor for tensor in body.graph.initializer if not tensor.external_data)
        self.constants: dict[str, Array] = {tensor.name: to_array(tensor) for tensor in inline}
        self.dims, self.kinds = infer(body)

    def rank(self, name: str) -> int:
        """The number of axes, -1 where it is unknown."""
        return len(self.dims[name]) if name in self.dims else -1

    def padded(self, name: str) -> Dims:
        """The four axes that a value of up to four is broadcast as."""
        dims = self.dims[name]
        return (1,) * (4 - len(dims)) + dims

    def same_both_ways(self, name: str) -> bool:
        """Whether no axis but the first of four is longer than one."""
        return 0 <= self.rank(name) <= 4 and self.padded(name)[1:] == (1, 1, 1)

    def root(self, name: str) -> str:
        """The value of which `name` is another shape."""
        for _ in self.producer:  # as many steps as there are nodes, if they are in a circle
            node = self.producer.get(name)
            if node is None or node.op_type not in RESHAPES or not node.input:
                break
            name = node.input[0]
        return name

    def swap(self, node: onnx.NodeProto) -> list[int] | None:
        """The perm of a node that itself makes channels-last of plain, or the reverse; None for others."""
        if node.op_type != "Transpose" or self.rank(node.input[0]) != 4:
            return None
        perm = list(attribute(node, "perm", []))
        return perm if perm in (TO_LAST, TO_PLAIN) else None


def to_last(values: Array) -> Array:
    """Values of up to four axes as they are given to a channels-last graph: with four, in the order of TO_LAST."""
    return values.reshape((1,) * (4 - values.ndim) + values.shape).transpose(TO_LAST)


def infer(body: onnx.ModelProto) -> tuple[dict[str, Dims], dict[str, int]]:
    """Shapes and types of all values, as far as they are known."""
    inferred = onnx.shape_inference.infer_shapes(body, data_prop=True).graph
    dims: dict[str, Dims] = {tensor.name: tuple(tensor.dims) for tensor in inferred.initializer}
    kinds: dict[str, int] = {tensor.name: tensor.data_type for tensor in inferred.initializer}
    for value in (*inferred.value_info, *inferred.input, *inferred.output):
        kinds[value.name] = value.type.tensor_type.elem_type
        if value.type.tensor_type.HasField("shape"):
            shape = value.type.tensor_type.shape.dim
            dims[value.name] = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in shape)
    return dims, kinds


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """The value of an attribute."""
    found = (onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name)
    return next(found, default)
