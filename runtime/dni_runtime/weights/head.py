"""Build the models that compute all weights of alpha: two products of shares and stored endpoints, little else.

One product gives the blends that the body takes, in a model of its own: who runs it leaves out the endpoints that have
no share. The other gives those that further weights are computed from, such as BatchNorm's statistics. A node for every
tensor would cost more than the arithmetic.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper
from onnx.numpy_helper import from_array

from .names import BLENDS, ENDPOINTS, FACTORS, OTHERS, SHARES
from .recipe import ONE, Recipes, Terms
from .split import Split
from .stored import Stored

_FLOAT = onnx.TensorProto.FLOAT
_ZERO, _ONE = np.float32(0), np.float32(1)
# Before, Split has its sizes as an attribute.
_SPLIT_BY_INPUT = 13


class Picked:
    """A vector of elements picked from values of the head, and scaled; between them some that are always the same."""

    def __init__(self) -> None:
        self._sources: dict[str, None] = {}
        self._index: list[tuple[str, npt.NDArray[np.int64]]] = []
        self._scales: list[npt.NDArray[np.float32]] = []
        self._fills: list[npt.NDArray[np.float32]] = []
        self.size = 0

    def add(self, source: str, index: npt.NDArray[np.int64], scale: np.float32 = _ONE, fill: float = 0.0) -> int:
        """Have element `index[i]` of `source` times `scale`, `fill` for -1; returns where they start."""
        start = self.size
        self._sources[source] = None
        # A factor of 0 makes any element 0; the first one always exists.
        self._index.append((source, np.maximum(index, 0)))
        self._scales.append(np.where(index < 0, _ZERO, scale))
        self._fills.append(np.where(index < 0, np.float32(fill), _ZERO))
        self.size += len(index)
        return start

    @property
    def sources(self) -> list[str]:
        """The values that are picked from, in the order of their first use."""
        return list(self._sources)

    def append_to(self, graph: onnx.GraphProto, output: str, shapes: dict[str, tuple[int, ...]]) -> None:
        """Compute the vector in `graph`, which has the values, and make it an output."""
        if not self.size:
            return
        flat, starts, end = [], {}, 0
        for source in self.sources:
            starts[source] = end
            end += math.prod(shapes[source])
            flat.append(source)
            if len(shapes[source]) != 1:
                flat[-1] = f"{output}@{source}"
                graph.node.append(helper.make_node("Reshape", [source, "dni@flat"], [flat[-1]]))
        index = np.concatenate([starts[source] + index for source, index in self._index])
        graph.initializer.append(from_array(index, f"{output}@index"))
        graph.node.append(helper.make_node("Concat", flat, [f"{output}@sources"], axis=0))
        graph.node.append(helper.make_node("Gather", [f"{output}@sources", f"{output}@index"], [output]))
        for kind, neutral, parts in (("Mul", _ONE, self._scales), ("Add", _ZERO, self._fills)):
            if ((values := np.concatenate(parts)) != neutral).any():
                before = graph.node[-1].output[0] = f"{output}@before_{kind}"
                graph.initializer.append(from_array(values, f"{output}@{kind}"))
                graph.node.append(helper.make_node(kind, [before, f"{output}@{kind}"], [output]))
        graph.output.append(helper.make_tensor_value_info(output, _FLOAT, [self.size]))


def build_head(
    halves: Split, recipes: Recipes, stored: Stored, shares: list[str], others: Picked, factors: Picked
) -> onnx.ModelProto:
    """The model alpha -> SHARES [1, rows of all endpoints], OTHERS and FACTORS, each if not empty.

    `shares`: the value that each row goes with; none where there are no rows.
    """
    model, shapes = halves.model, halves.shapes()
    needed, small = _walk(halves, recipes, [*others.sources, *factors.sources])
    rows = {share: row for row, share in enumerate(dict.fromkeys([*shares, *_shares(small.values())]))}
    of_shares, _ = _walk(halves, recipes, list(rows))
    early = [node for node in halves.head if not of_shares.isdisjoint(node.output)]
    needed -= of_shares
    late = [node for node in halves.head if not needed.isdisjoint(node.output)]

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
    for share, number in rows.items():
        graph.node.append(helper.make_node("Reshape", [share, "dni@flat"], [f"dni@share_{number}"]))
    if shares:
        _append_row(graph, len(shares), SHARES)
        graph.output.append(helper.make_tensor_value_info(SHARES, _FLOAT, [1, len(shares)]))
    if small:
        endpoints = stored.rows(len(rows), sum(math.prod(shapes[name]) for name in small))
        _append_row(graph, len(rows), "dni@small_shares")
        graph.node.append(helper.make_node("MatMul", ["dni@small_shares", "dni@small_endpoints"], ["dni@small_blends"]))
        graph.node.append(helper.make_node("Reshape", ["dni@small_blends", "dni@flat"], ["dni@small"]))
        parts, start = [], 0
        for name, terms in small.items():
            size = math.prod(shapes[name])
            for constant, share in terms:
                endpoints[rows[share], start : start + size] += stored[constant].ravel()
            start += size
            parts.append(name if len(shapes[name]) == 1 else f"dni@small@{name}")
        graph.initializer.append(from_array(endpoints, "dni@small_endpoints"))
        _append_split(graph, parts, [math.prod(shapes[name]) for name in small], _opset(model))
        for part, name in zip(parts, small, strict=True):
            if part != name:
                graph.initializer.append(from_array(np.array(shapes[name], np.int64), f"dni@shape@{name}"))
                graph.node.append(helper.make_node("Reshape", [part, f"dni@shape@{name}"], [name]))
    graph.node.extend(late)
    graph.initializer.extend(stored.copies(set(others.sources + factors.sources) - _names(graph)))
    others.append_to(graph, OTHERS, shapes)
    factors.append_to(graph, FACTORS, shapes)
    return head


def build_product() -> onnx.ModelProto:
    """The model SHARES [1, rows], ENDPOINTS [rows, columns] -> BLENDS [1, columns]."""
    inputs = [
        helper.make_tensor_value_info(name, _FLOAT, [size, None]) for name, size in ((SHARES, 1), (ENDPOINTS, None))
    ]
    outputs = [helper.make_tensor_value_info(BLENDS, _FLOAT, [1, None])]
    graph = helper.make_graph([product_node()], "product", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def product_node() -> onnx.NodeProto:
    """What makes BLENDS of SHARES and ENDPOINTS."""
    return helper.make_node("MatMul", [SHARES, ENDPOINTS], [BLENDS])


def _append_row(graph: onnx.GraphProto, rows: int, output: str) -> None:
    """The first `rows` shares, [1, rows]."""
    graph.node.append(helper.make_node("Concat", [f"dni@share_{n}" for n in range(rows)], [f"{output}@flat"], axis=0))
    graph.initializer.append(from_array(np.array([1, -1], np.int64), f"{output}@shape"))
    graph.node.append(helper.make_node("Reshape", [f"{output}@flat", f"{output}@shape"], [output]))


def _append_split(graph: onnx.GraphProto, parts: list[str], sizes: list[int], opset: int) -> None:
    """Cut dni@small, a vector, into `parts`."""
    if opset < _SPLIT_BY_INPUT:
        graph.node.append(helper.make_node("Split", ["dni@small"], parts, axis=0, split=sizes))
        return
    graph.initializer.append(from_array(np.array(sizes, np.int64), "dni@small_sizes"))
    graph.node.append(helper.make_node("Split", ["dni@small", "dni@small_sizes"], parts, axis=0))


def _opset(model: onnx.ModelProto) -> int:
    return max((opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")), default=1)


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


def _shares(blends: Iterable[Terms]) -> Iterator[str]:
    return (share for terms in blends for _, share in terms)


def _names(graph: onnx.GraphProto) -> set[str]:
    return {tensor.name for tensor in graph.initializer} | {name for node in graph.node for name in node.output}
