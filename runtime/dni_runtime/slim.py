"""Read an ONNX file without its weights: they stay in the file, and the graph says where.

A graph of a few hundred kilobytes can be changed and handed to ONNX Runtime as bytes; it then maps the weights
from where they lie. Serializing the whole model instead would hold Python's lock for a fifth of a second and the
weights in memory twice.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

import onnx

# Shapes and other small constants have to stay inline: ONNX Runtime reads them while it loads a graph.
_INLINE_LIMIT_BYTES = 1024

# Field numbers of onnx.proto.
_MODEL_GRAPH = 7
_GRAPH_INITIALIZER = 5
_TENSOR_RAW_DATA = 9
_TENSOR_EXTERNAL_DATA = 13
_TENSOR_DATA_LOCATION = 14

# Wire types of Protocol Buffers (protobuf.dev/programming-guides/encoding).
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def read_slim(file: Path) -> onnx.ModelProto:
    """The model in `file`; each large initializer is external data that points into `file` itself.

    Weights that the file keeps elsewhere stay there. Locations are relative to the folder of `file`.

    Raises ValueError if the file is no ONNX model, or only a part of one; OSError if it cannot be read.
    """
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        slim = bytearray()
        for number, start, content, end in _fields(data, 0, len(data)):
            if number == _MODEL_GRAPH:
                _append(slim, number, _slim_graph(data, content, end, file.name))
            else:
                slim += data[start:end]
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(bytes(slim))
    except Exception as error:  # of google.protobuf, which is onnx's dependency and not ours
        raise ValueError(f"{file} is not an ONNX model: {error}") from None
    return model


def _slim_graph(data: mmap.mmap, start: int, end: int, location: str) -> bytearray:
    graph = bytearray()
    for number, field, content, stop in _fields(data, start, end):
        if number == _GRAPH_INITIALIZER and stop - content > _INLINE_LIMIT_BYTES:
            _append(graph, number, _slim_tensor(data, content, stop, location))
        else:
            graph += data[field:stop]
    return graph


def _slim_tensor(data: mmap.mmap, start: int, end: int, location: str) -> bytearray:
    tensor, place = bytearray(), bytearray()
    reference = onnx.TensorProto(data_location=onnx.TensorProto.EXTERNAL)
    for number, field, content, stop in _fields(data, start, end):
        if number == _TENSOR_RAW_DATA and stop - content > _INLINE_LIMIT_BYTES:
            for key, value in {"location": location, "offset": content, "length": stop - content}.items():
                reference.external_data.add(key=key, value=str(value))
        elif number in (_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION):
            place += data[field:stop]
        else:
            tensor += data[field:stop]
    # Of a field that is there twice the last one counts, and `onnx.load` leaves "not external" behind.
    return tensor + (reference.SerializeToString() if reference.external_data else place)


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of the message at start..end: number, first byte, first byte of the content, end."""
    position = start
    while position < end:
        field = position
        tag, position = _varint(data, position, end)
        content, kind = position, tag & 7
        if kind == _LENGTH:
            length, content = _varint(data, position, end)
            position = content + length
        elif kind == _VARINT:
            _, position = _varint(data, position, end)
        elif kind in (_FIXED32, _FIXED64):
            position += 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"not an ONNX model: wire type {kind} at byte {field}")
        if position > end:
            raise ValueError(f"not an ONNX model, or only a part of one: it ends inside a field at byte {field}")
        yield tag >> 3, field, content, position


def _varint(data: mmap.mmap, position: int, end: int) -> tuple[int, int]:
    """The number at `position` and the position after it; seven bits a byte, the lowest first."""
    value = shift = 0
    while True:
        if position >= end or shift > 63:
            raise ValueError(f"not an ONNX model, or only a part of one: no number ends at byte {position}")
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:
            return value, position


def _append(message: bytearray, number: int, content: bytearray) -> None:
    for value in (number << 3 | _LENGTH, len(content)):
        while value > 0x7F:
            message.append(value & 0x7F | 0x80)
            value >>= 7
        message.append(value)
    message += content
