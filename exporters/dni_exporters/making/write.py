"""Writing models whole or not at all: everything is made in a hidden folder beside the output, then moved."""

import os
from pathlib import Path

import onnx
import onnx_ir as ir

from dni_exporters.outputs import companion

# Protocol Buffers refuse messages of 2 GiB; the graph itself needs room too.
EMBED_LIMIT_BYTES = 2**31 - 2**26


def save(model: ir.Model, path: Path, weights: str) -> None:
    """Write `model` to `path`: "embed" its weights, make them "external" in `path` + `.data`, or leave their "link"s.

    Tensors below 256 bytes stay inside: ONNX Runtime reads shapes while it loads the graph. Types and
    shapes of intermediate values are left out: whoever loads the model infers them again.
    """
    for node in model.graph:
        for value in node.outputs:
            if not value.is_graph_output():
                value.type = value.shape = None
    if weights == "embed":
        _save_embedded(model, path)
    else:
        ir.save(model, path, external_data=f"{path.name}.data" if weights == "external" else None)


def _save_embedded(model: ir.Model, path: Path) -> None:
    """Write one tensor after the other: the whole message at once would be held three times in memory.

    The encoding is that of Protocol Buffers (protobuf.dev/programming-guides/encoding): a field that is a
    message is its key, its length and its bytes, and fields may come in any order.
    """
    initializers = dict(model.graph.initializers)
    model.graph.initializers.clear()
    try:
        proto = ir.to_proto(model)
    finally:
        model.graph.initializers.update(initializers)
    graph = proto.graph.SerializeToString()
    proto.ClearField("graph")
    tensors = []
    for name, value in initializers.items():
        tensor = value.const_value
        assert tensor is not None  # that is what makes it an initializer
        head = onnx.TensorProto(name=name, data_type=int(tensor.dtype), dims=tensor.shape.numpy())
        start = head.SerializeToString() + _field(head, "raw_data", tensor.nbytes)
        start = _field(proto.graph, "initializer", len(start) + tensor.nbytes) + start
        tensors.append((start, tensor))
    length = len(graph) + sum(len(start) + tensor.nbytes for start, tensor in tensors)
    with path.open("wb") as file:
        file.write(proto.SerializeToString() + _field(proto, "graph", length) + graph)
        for start, tensor in tensors:
            file.write(start + tensor.tobytes())


def _field(message: onnx.ModelProto | onnx.GraphProto | onnx.TensorProto, name: str, length: int) -> bytes:
    """The beginning of a length-delimited field of `message`: its key and its length, both varints."""
    encoded = bytearray()
    for number in (message.DESCRIPTOR.fields_by_name[name].number << 3 | 2, length):
        while number > 0x7F:
            encoded.append(number & 0x7F | 0x80)
            number >>= 7
        encoded.append(number)
    return bytes(encoded)


def weight_bytes(model: ir.Model) -> int:
    """The size of all weights in bytes."""
    return sum(int(v.const_value.nbytes) for v in model.graph.initializers.values() if v.const_value is not None)


def publish(staged: Path, output: Path) -> list[Path]:
    """Move a written model, and the file of its weights where it has one, to its final name; return the final names.

    A model is never seen beside the weights of another one: the old model goes first, the new one
    comes last.
    """
    weights, old_weights = companion(staged), companion(output)
    if not weights.exists():
        os.replace(staged, output)
        old_weights.unlink(missing_ok=True)
        return [output]
    output.unlink(missing_ok=True)
    os.replace(weights, old_weights)
    os.replace(staged, output)
    return [output, old_weights]
