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

_FLAT = "dni@flat"


class HeadNodes:
    """nodes, initializers: of the graph. given: values of initializers that the session options give, by name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = [from_array(np.array([-1], np.int64), _FLAT)]
        self.given: dict[str, Tensor] = {}
        self._shares: dict[str, str] = {}

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
        """The sum of `rows`, each a vector, times `shares`, values of one element or ONE."""
        terms = []
        for index, (row, share) in enumerate(zip(rows, shares, strict=True)):
            term = self.large(f"{label}@{index}", row)
            terms.append(term if share == ONE else self.op("Mul", [term, self._flat(share)], f"{term}*share"))
        total = terms[0]
        for index, term in enumerate(terms[1:], start=1):
            total = self.op("Add", [total, term], label if index == len(terms) - 1 else f"{label}@sum{index}")
        return total if len(terms) > 1 else self.op("Identity", [total], label)

    def _flat(self, share: str) -> str:
        """The share as a tensor of one axis."""
        if share not in self._shares:
            self._shares[share] = self.op("Reshape", [share, _FLAT], f"dni@share@{share}")
        return self._shares[share]
