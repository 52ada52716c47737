"""Adding nodes to a graph, each with a named, typed output."""

from collections.abc import Mapping, Sequence

import onnx_ir as ir

FLOAT = ir.DataType.FLOAT


class Nodes:
    """Nodes that are collected first and inserted into `graph` together; constants go there at once.

    Every name gets `prefix` in front, so that one prefix has to be unique, not every name.
    """

    def __init__(self, graph: ir.Graph, prefix: str = "") -> None:
        self._graph = graph
        self._prefix = prefix
        self._collected: list[ir.Node] = []

    def add(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        name: str,
        dtype: ir.DataType,
        shape: ir.Shape | None,
        attributes: Mapping[str, int | Sequence[int]] | None = None,
    ) -> ir.Value:
        """The output, called `name`, of a new node."""
        node = ir.node(op_type, inputs, attributes)
        value = node.outputs[0]
        value.name, value.type, value.shape = self._prefix + name, ir.TensorType(dtype), shape
        self._collected.append(node)
        return value

    def cast(self, value: ir.Value, name: str, dtype: ir.DataType) -> ir.Value:
        """`value` itself where it has that dtype already."""
        if value.dtype == dtype:
            return value
        return self.add("Cast", [value], name, dtype, value.shape, {"to": int(dtype)})

    def constant(self, name: str, tensor: ir.TensorProtocol) -> ir.Value:
        """An initializer."""
        shape = ir.Shape(list(tensor.shape.numpy()))
        value = ir.Value(name=self._prefix + name, type=ir.TensorType(tensor.dtype), shape=shape, const_value=tensor)
        tensor.name = value.name
        self._graph.register_initializer(value)
        return value

    def insert_before(self, node: ir.Node) -> None:
        self._graph.insert_before(node, self._collected)
