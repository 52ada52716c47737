"""The constants of an alpha-input model: in its file, or beside it, and read when somebody asks for one."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx.numpy_helper import from_array

from dni_runtime.onnx_files.external_data import read_tensor

from .split import CannotPrepareError, Split

# A sum may name one stored tensor again and again, with another share each time; no file that is meant well does.
_SPREAD_LIMIT, _SPREAD_LEAST = 16, 2**20


class Stored:
    """A model's float32 constants by name, read when they are asked for; also those that are stored as less.

    `half`: float16 ones are taken, too, as they are.
    """

    def __init__(self, halves: Split, folder: Path, *, half: bool = False) -> None:
        self._types = (np.float32, np.float16) if half else (np.float32,)
        self._tensors = {tensor.name: tensor for tensor in halves.model.graph.initializer}
        self._widened = halves.widened
        self._folder = folder
        self.count = sum(math.prod(tensor.dims) for tensor in self._tensors.values())

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        if node := self._widened.get(name):
            return _widen(node, [read_tensor(self._tensors[operand], self._folder) for operand in node.input])
        values = read_tensor(self._tensors[name], self._folder)
        if values.dtype not in self._types:
            raise CannotPrepareError(f"weights are stored as {values.dtype}")
        return values

    def rows(self, shares: int, columns: int) -> npt.NDArray[np.float32]:
        """Zeros to put endpoints into, a row for each share. Raises CannotPrepareError for far more than are stored."""
        return self.room(shares * columns).reshape(shares, columns)

    def room(self, count: int) -> npt.NDArray[np.float32]:
        """So many zeros to put endpoints into. Raises CannotPrepareError for far more than are stored."""
        if count > max(_SPREAD_LIMIT * self.count, _SPREAD_LEAST):
            raise CannotPrepareError(f"{count} products of stored elements and shares are blended, too many")
        return np.zeros(count, np.float32)

    def copies(self, names: Iterable[str]) -> list[onnx.TensorProto]:
        """The constants among `names`, of any type, with their values inside."""
        tensors = (self._tensors[name] for name in dict.fromkeys(names) if name in self._tensors)
        return [from_array(read_tensor(tensor, self._folder), tensor.name) for tensor in tensors]


def _widen(node: onnx.NodeProto, operands: list[npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """What a Cast to float32, or a DequantizeLinear with one scale for all or for each channel, makes of constants."""
    values = operands[0].astype(np.float32)
    if node.op_type == "Cast":
        return values
    attributes = {attribute.name: attribute.i for attribute in node.attribute}
    if attributes.get("block_size"):
        raise CannotPrepareError("weights are stored in blocks, each with a scale")
    axis = attributes.get("axis", 1) % max(1, values.ndim)
    scale, *zero_point = (
        o.astype(np.float32).reshape([-1 if d == axis and o.size > 1 else 1 for d in range(values.ndim)])
        for o in operands[1:]
    )
    # As the operator's definition has it, which rounds once: y = (x - zero_point) * scale.
    result: npt.NDArray[np.float32] = (values - zero_point[0] if zero_point else values) * scale
    return result
