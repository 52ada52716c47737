"""Collect the nodes of a head for a device, and its constants that are in no file."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper
from onnx.numpy_helper import from_array

from dni_runtime.onnx_files.external_data import given_tensor
from dni_runtime.weights.recipe import ONE

Tensor = npt.NDArray[Any]

# Weights are blended in blocks of that many elements: a block of each endpoint, beside each other, times a matrix with
# the shares along its diagonals. That is one kernel, which reads what is stored once and writes the result once. 16.7
# million weights on an H200 take 52 us in float16 and 101 in float32 (a copy of as many bytes 39 and 63), and by Mul,
# Mul and Add 105 and 151. With 8, 16, 64 or 128 it is slower in one of the two.
BLOCK = 32

_FLAT = "dni@flat"


class HeadNodes:
    """nodes, initializers: of the graph. given: values of initializers that the session options give, by name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = [from_array(np.array([-1], np.int64), _FLAT)]
        self.given: dict[str, Tensor] = {}
        self._diagonals: dict[tuple[np.dtype[Any], str], str] = {}
        self._matrices: dict[tuple[np.dtype[Any], tuple[str, ...]], str] = {}

    def op(self, kind: str, inputs: Sequence[str], label: str, **attributes: Any) -> str:
        """The only output, called `label`, of a new node."""
        self.nodes.append(helper.make_node(kind, inputs, [label], **attributes))
        return label

    def small(self, label: str, values: Tensor) -> str:
        """A constant inside the graph."""
        self.initializers.append(from_array(values, label))
        return label

    def large(self, label: str, values: Tensor) -> str:
        """A constant that the session options give."""
        kind = helper.np_dtype_to_tensor_dtype(values.dtype)
        self.initializers.append(given_tensor(label, values.shape, kind))
        self.given[label] = values
        return label

    def blend(self, label: str, rows: Sequence[Tensor], shares: Sequence[str]) -> str:
        """The sum of `rows`, each a vector, times `shares`, values of one element or ONE: [elements / BLOCK, BLOCK].

        rows: of a multiple of BLOCK elements.
        """
        endpoints = self.large(f"{label}@endpoints", np.concatenate([row.reshape(-1, BLOCK) for row in rows], axis=1))
        return self.op("MatMul", [endpoints, self._matrix(shares, rows[0].dtype)], label)

    def flat(self, value: str, label: str) -> str:
        """`value` as a tensor of one axis."""
        return self.op("Reshape", [value, _FLAT], label)

    def _matrix(self, shares: Sequence[str], dtype: np.dtype[Any]) -> str:
        """For each of `shares` a square that has it along the diagonal, below each other."""
        key = (dtype, tuple(shares))
        if key not in self._matrices:
            parts = [self._diagonal(share, dtype) for share in shares]
            self._matrices[key] = self.op("Concat", parts, f"dni@matrix{len(self._matrices)}", axis=0)
        return self._matrices[key]

    def _diagonal(self, share: str, dtype: np.dtype[Any]) -> str:
        key = (dtype, share)
        if key not in self._diagonals:
            label = f"dni@diagonal{len(self._diagonals)}"
            ones = np.eye(BLOCK, dtype=dtype)
            if share == ONE:
                self._diagonals[key] = self.small(label, ones)
            else:
                factors = [self.small(f"{label}@ones", ones), self.flat(share, f"{label}@share")]
                self._diagonals[key] = self.op("Mul", factors, label)
        return self._diagonals[key]
