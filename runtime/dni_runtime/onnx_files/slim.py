"""Read an ONNX file without its weights: they stay in the file, and the graph says where.

A graph of a few hundred kilobytes can be changed and handed to ONNX Runtime as bytes; it then maps the weights
from where they lie. Serializing the whole model instead would hold Python's lock for a fifth of a second and the
weights in memory twice.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

import onnx

from dni_runtime.files.regular_file import open_file

# Shapes and other small constants have to stay inline: ONNX Runtime reads them while it loads a graph.
_INLINE_LIMIT_BYTES = 1024

# What is no large weight is read whole. Graphs have some megabytes; more where a tool keeps weights as constant nodes,
# or as lists of numbers. Every field takes a microsecond.
_BYTES_LIMIT = 512 * 2**20
_FIELDS_LIMIT = 1_000_000

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

    Raises ValueError if the file is no ONNX model, or only a part of one, or too large in what is no weights; OSError
    if it cannot be read.
    """
    with open_file(file) as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        slim = _Slim(data, file.name).model()
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(slim)  # a bytearray is not copied for it
    except Exception as error:  # of google.protobuf, which is onnx's dependency and not ours
        raise ValueError(str(error)) from None
    return model


class _Slim:
    """Copies the messages of a file, but for large values."""

    def __init__(self, data: mmap.mmap, location: str) -> None:
        self._data, self._location = data, location
        self._fields_left, self._bytes_left = _FIELDS_LIMIT, _BYTES_LIMIT

    def model(self) -> bytearray:
        slim = bytearray()
        for number, start, content, end in self._fields(0, len(self._data)):
            if number == _MODEL_GRAPH:
                _append(slim, number, self._graph(content, end))
            else:
                slim += self._copy(start, end)
        return slim

    def _graph(self, start: int, end: int) -> bytearray:
        graph = bytearray()
        for number, field, content, stop in self._fields(start, end):
            if number == _GRAPH_INITIALIZER and stop - content > _INLINE_LIMIT_BYTES:
                _append(graph, number, self._tensor(content, stop))
            else:
                graph += self._copy(field, stop)
        return graph

    def _tensor(self, start: int, end: int) -> bytearray:
        tensor, place = bytearray(), bytearray()
        reference = onnx.TensorProto(data_location=onnx.TensorProto.EXTERNAL)
        fields = list(self._fields(start, end))
        # Of a field that is there twice the last one counts, and `onnx.load` leaves "not external" behind.
        locations = [self._data[stop - 1] for number, _, _, stop in fields if number == _TENSOR_DATA_LOCATION]
        if locations[-1:] == [onnx.TensorProto.EXTERNAL]:
            return bytearray(self._copy(start, end))
        for number, field, content, stop in fields:
            if number == _TENSOR_RAW_DATA and stop - content > _INLINE_LIMIT_BYTES:
                del reference.external_data[:]
                for key, value in {"location": self._location, "offset": content, "length": stop - content}.items():
                    reference.external_data.add(key=key, value=str(value))
            elif number in (_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION):
                place += self._copy(field, stop)
            else:
                tensor += self._copy(field, stop)
        return tensor + (reference.SerializeToString() if reference.external_data else place)

    def _copy(self, start: int, end: int) -> bytes:
        self._bytes_left -= end - start
        if self._bytes_left < 0:
            raise ValueError(
                f"beside weights that are stored as raw data it has more than {_BYTES_LIMIT >> 20} MiB, too many"
            )
        return self._data[start:end]

    def _fields(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """The fields of the message at start..end: number, first byte, first byte of the content, end."""
        data, position = self._data, start
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
                raise ValueError(f"wire type {kind} at byte {field}")
            if position > end:
                raise ValueError(f"it ends inside a field at byte {field}")
            self._fields_left -= 1
            if tag < 8 or self._fields_left < 0:  # field 0 is none: a hole in a file is read as zeros
                raise ValueError(f"no field at byte {field}" if tag < 8 else f"more than {_FIELDS_LIMIT} fields")
            yield tag >> 3, field, content, position


def _varint(data: mmap.mmap, position: int, end: int) -> tuple[int, int]:
    """The number at `position` and the position after it; seven bits a byte, the lowest first."""
    value = shift = 0
    while True:
        if position >= end or shift > 63:
            raise ValueError(f"no number ends at byte {position}")
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
