"""Build the model that computes all weights of alpha: two products of shares and stored endpoints, little else.

One product gives the blends that the body takes; the other gives those that further weights are computed from,
such as BatchNorm's statistics. A node for every tensor would cost more than the arithmetic.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper
from onnx.numpy_helper import from_array

from .external_data import read_tensor
from .recipe import ONE, Recipes, Terms
from .split import CannotPrepareError, Split

# Names that no network uses.
ENDPOINTS, BLENDS, OTHERS, FACTORS = "dni@endpoints", "dni@blends", "dni@others", "dni@factors"

_FLOAT = onnx.TensorProto.FLOAT
_ONE = np.float32(1)


class Stored:
    """A model's float32 constants by name, read when they are asked for; also those that are stored as less.

    `half`: float16 ones are taken, too, as they are.
    """

    def __init__(self, halves: Split, folder: Path, *, half: bool = False) -> None:
        self._types = (np.float32, np.float16) if half else (np.float32,)
        self._tensors = {tensor.name: tensor for tensor in halves.model.graph.initializer}
        self._widened = halves.widened
        self._folder = folder

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        if node := self._widened.get(name):
            return _widen(node, [read_tensor(self._tensors[operand], self._folder) for operand in node.input])
        values = read_tensor(self._tensors[name], self._folder)
        if values.dtype not in self._types:
            raise CannotPrepareError(f"weights are stored as {values.dtype}")
        return values

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


class Picked:
    """A vector of elements picked from values of the head, and scaled."""

    def __init__(self) -> None:
        self.sources: list[str] = []
        self._index: list[tuple[str, npt.NDArray[np.int64]]] = []
        self._scales: list[npt.NDArray[np.float32]] = []
        self.size = 0

    def add(self, source: str, index: npt.NDArray[np.int64], scale: np.float32 = _ONE) -> int:
        """Have element `index[i]` of `source`, 0 for -1, times `scale`; returns where they start."""
        start = self.size
        if source not in self.sources:
            self.sources.append(source)
        # A factor of 0 makes any element 0; the first one always exists.
        self._index.append((source, np.maximum(index, 0)))
        self._scales.append(np.where(index < 0, np.float32(0), scale))
        self.size += len(index)
        return start

    def append_to(self, graph: onnx.GraphProto, output: str, shapes: dict[str, tuple[int, ...]]) -> None:
        """Compute the vector in `graph`, which has the values, and make it an output."""
        if not self.size:
            return
        flat, starts, end = [], {}, 0
        for source in self.sources:
            starts[source] = end
            end += int(np.prod(shapes[source]))
            flat.append(source)
            if len(shapes[source]) != 1:
                flat[-1] = f"{output}@{source}"
                graph.node.append(helper.make_node("Reshape", [source, "dni@flat"], [flat[-1]]))
        index = np.concatenate([starts[source] + index for source, index in self._index])
        scales = np.concatenate(self._scales)
        scaled = bool((scales != 1).any())
        picked = f"{output}@picked" if scaled else output
        graph.initializer.append(from_array(index, f"{output}@index"))
        graph.node.append(helper.make_node("Concat", flat, [f"{output}@sources"], axis=0))
        graph.node.append(helper.make_node("Gather", [f"{output}@sources", f"{output}@index"], [picked]))
        if scaled:
            graph.initializer.append(from_array(scales, f"{output}@scales"))
            graph.node.append(helper.make_node("Mul", [picked, f"{output}@scales"], [output]))
        graph.output.append(helper.make_tensor_value_info(output, _FLOAT, [self.size]))


def build_head(
    halves: Split, recipes: Recipes, stored: Stored, shares: list[str], others: Picked, factors: Picked
) -> onnx.ModelProto:
    """The model alpha, ENDPOINTS -> BLENDS [1, columns of ENDPOINTS], OTHERS and FACTORS, each if not empty.

    `shares`: the value that each row of ENDPOINTS goes with; none where there are no rows.
    """
    model, shapes = halves.model, halves.shapes()
    needed, small = _walk(halves, recipes, [*others.sources, *factors.sources])
    rows = list(dict.fromkeys([*shares, *(share for terms in small.values() for _, share in terms)]))
    of_shares, _ = _walk(halves, recipes, rows)
    early = [node for node in halves.head if not of_shares.isdisjoint(node.output)]
    late = [node for node in halves.head if not (needed - of_shares).isdisjoint(node.output)]

    head = onnx.ModelProto(ir_version=model.ir_version)
    head.opset_import.extend(model.opset_import)
    graph = head.graph
    graph.name = "head"
    graph.input.extend(value for value in model.graph.input if value.name == "alpha")
    graph.initializer.extend(stored.copies(name for node in (*early, *late) for name in node.input))
    graph.initializer.append(from_array(np.array([-1], np.int64), "dni@flat"))
    if ONE in rows:
        graph.initializer.append(from_array(np.ones(1, np.float32), ONE))
    graph.node.extend(early)
    for number, share in enumerate(rows):
        graph.node.append(helper.make_node("Reshape", [share, "dni@flat"], [f"dni@share_{number}"]))
    if shares:
        graph.input.append(helper.make_tensor_value_info(ENDPOINTS, _FLOAT, [len(shares), None]))
        graph.output.append(helper.make_tensor_value_info(BLENDS, _FLOAT, [1, None]))
        _append_product(graph, len(shares), ENDPOINTS, BLENDS)
    if small:
        endpoints = np.zeros((len(rows), sum(int(np.prod(shapes[name])) for name in small)), np.float32)
        _append_product(graph, len(rows), "dni@small_endpoints", "dni@small_blends")
        graph.node.append(helper.make_node("Reshape", ["dni@small_blends", "dni@flat"], ["dni@small"]))
        parts, start = [], 0
        for name, terms in small.items():
            size = int(np.prod(shapes[name]))
            for constant, share in terms:
                endpoints[rows.index(share), start : start + size] += stored[constant].ravel()
            start += size
            parts.append(name if len(shapes[name]) == 1 else f"dni@small@{name}")
        sizes = np.array([int(np.prod(shapes[name])) for name in small], np.int64)
        graph.initializer.extend([from_array(endpoints, "dni@small_endpoints"), from_array(sizes, "dni@small_sizes")])
        graph.node.append(helper.make_node("Split", ["dni@small", "dni@small_sizes"], parts, axis=0))
        for part, name in zip(parts, small, strict=True):
            if part != name:
                graph.initializer.append(from_array(np.array(shapes[name], np.int64), f"dni@shape@{name}"))
                graph.node.append(helper.make_node("Reshape", [part, f"dni@shape@{name}"], [name]))
    graph.node.extend(late)
    graph.initializer.extend(stored.copies(set(others.sources + factors.sources) - _names(graph)))
    others.append_to(graph, OTHERS, shapes)
    factors.append_to(graph, FACTORS, shapes)
    return head


def _append_product(graph: onnx.GraphProto, rows: int, endpoints: str, output: str) -> None:
    """The first `rows` shares times `endpoints`, a row each."""
    row = f"{output}@row"
    graph.node.append(helper.make_node("Concat", [f"dni@share_{n}" for n in range(rows)], [f"{row}@flat"], axis=0))
    graph.initializer.append(from_array(np.array([1, -1], np.int64), f"{row}@shape"))
    graph.node.append(helper.make_node("Reshape", [f"{row}@flat", f"{row}@shape"], [row]))
    graph.node.append(helper.make_node("MatMul", [row, endpoints], [output]))


def _walk(halves: Split, recipes: Recipes, wanted: list[str]) -> tuple[set[str], dict[str, Terms]]:
    """The values that `wanted` are computed from, down to blends; and these blends."""
    makers = {name: node for node in halves.head for name in node.output}
    visited: set[str] = set()
    blends: dict[str, Terms] = {}
    stack = list(wanted)
    while stack:
        name = stack.pop()
        if name in visited or name not in makers:
            continue
        if terms := recipes.blend(name):
            blends[name] = terms
        else:
            visited.add(name)
            stack.extend(makers[name].input)
    return visited, blends


def _names(graph: onnx.GraphProto) -> set[str]:
    return {tensor.name for tensor in graph.initializer} | {name for node in graph.node for name in node.output}
