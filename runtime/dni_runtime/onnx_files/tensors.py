"""What a tensor says of itself, which a stranger wrote: sizes and places are numbers that somebody else follows."""

import math
import re
from dataclasses import dataclass

import onnx
from onnx.external_data_helper import uses_external_data
from onnx.helper import tensor_dtype_to_field, tensor_dtype_to_np_dtype

_KINDS = frozenset(onnx.TensorProto.DataType.values()) - {onnx.TensorProto.UNDEFINED}
_COMPLEX = (onnx.TensorProto.COMPLEX64, onnx.TensorProto.COMPLEX128)
_VALUES = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the values of a tensor are that uses external data: `length` bytes of a file, from `offset` on."""

    location: str
    offset: int
    length: int

    @classmethod
    def of(cls, tensor: onnx.TensorProto) -> "Extent":
        """As `tensor` has it. Raises ValueError where that cannot be."""
        said = {entry.key: entry.value for entry in tensor.external_data}
        size = size_bytes(tensor)
        numbers = {"offset": said.get("offset", "0"), "length": said.get("length", str(size))}
        for key, text in numbers.items():
            if not re.fullmatch("[0-9]{1,18}", text):
                raise ValueError(f"{key} {text!r}, which is no number of bytes")
        if int(numbers["length"]) != size:
            raise ValueError(f"{numbers['length']} bytes, where its shape and type need {size}")
        return cls(said.get("location", ""), int(numbers["offset"]), size)


def size_bytes(tensor: onnx.TensorProto) -> int:
    """What the values of `tensor` take as raw data. Raises ValueError for a shape or a type that cannot be."""
    if any(size < 0 for size in tensor.dims):
        raise ValueError(f"the shape {[*tensor.dims]}")
    return -(-math.prod(map(int, tensor.dims)) * _bits(tensor.data_type) // 8)


def type_name(kind: int) -> str:
    """ONNX's name of an element type, in lower case, also of one that does not exist."""
    return onnx.TensorProto.DataType.Name(kind).lower() if kind in _KINDS else f"type {kind}"


def check_values(tensor: onnx.TensorProto) -> None:
    """Raise ValueError unless `tensor` has as many values as its shape says, inside or in one place elsewhere."""
    size = size_bytes(tensor)
    given = [field for field in _VALUES if len(getattr(tensor, field))]
    if uses_external_data(tensor):
        if given or tensor.raw_data:
            raise ValueError("values inside the model, and others in a file")
        if tensor.data_type == onnx.TensorProto.STRING:
            raise ValueError("text in a file, where there are only numbers")
        Extent.of(tensor)
    elif tensor.raw_data:
        if len(tensor.raw_data) != size or given:
            raise ValueError(f"{len(tensor.raw_data)} bytes, where its shape and type need {size}")
    else:
        field = tensor_dtype_to_field(tensor.data_type)
        count = math.prod(tensor.dims) * (2 if tensor.data_type in _COMPLEX else 1)
        # Several elements of less than a byte share a value.
        needed = size if _bits(tensor.data_type) < 8 else count
        if len(getattr(tensor, field)) != needed or given not in ([field], []):
            raise ValueError(f"{len(getattr(tensor, field))} values, where its shape needs {needed}")


def _bits(kind: int) -> int:
    if kind not in _KINDS:
        raise ValueError(f"the element type {kind}, which this version of onnx does not know")
    # NumPy has a byte for each element of these.
    narrow = re.match("(?:U?INT|FLOAT)([246])(?![0-9])", onnx.TensorProto.DataType.Name(kind))
    return int(narrow[1]) if narrow else 8 * tensor_dtype_to_np_dtype(kind).itemsize
