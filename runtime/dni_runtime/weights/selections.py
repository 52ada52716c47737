"""Weights that are elements of others, in another place: tables of relative positions, parts of a matrix.

What picks them is nodes by the dozen, and copies, for each new alpha. Which elements they pick is the same for all, so
it is found out once: by letting them pick from numbers.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx.helper import make_tensor_value_info

from .split import MOVES, Split, dependents
from .stored import Stored

# Operators whose first input gives the elements, and whose others say which and where.
_PICKS = MOVES | {"Expand", "Gather", "GatherElements", "GatherND", "Slice", "Split", "Tile"}

Selection = tuple[str, npt.NDArray[np.int64]]


def selections(halves: Split, stored: Stored, weights: Iterable[str]) -> dict[str, Selection]:
    """Of those of `weights`, values of the head, that are picked: from which value, and the index of each element."""
    graph, shapes = halves.model.graph, halves.shapes()
    makers = {name: node for node in halves.head for name in node.output}
    of_alpha = dependents(graph, ["alpha"])
    sources: dict[str, str] = {}
    for weight in weights:
        source = weight
        while (node := makers.get(source)) and _picks(node, of_alpha):
            source = node.input[0]
        if source != weight and source in makers and source in shapes:
            sources[weight] = source
    if not sources:
        return {}
    part = onnx.ModelProto(ir_version=halves.model.ir_version)
    part.opset_import.extend(halves.model.opset_import)
    part.graph.name = "selections"
    kind = onnx.TensorProto.INT64
    given = dict.fromkeys(sources.values())
    part.graph.input.extend(make_tensor_value_info(name, kind, shapes[name]) for name in given)
    part.graph.output.extend(make_tensor_value_info(name, kind, None) for name in sources)
    needed = _needed(halves, {*sources}, {*given})
    part.graph.node.extend(needed)
    part.graph.initializer.extend(stored.copies(name for node in needed for name in node.input))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(part.SerializeToString(), options, providers=["CPUExecutionProvider"])
    numbers = {name: np.arange(np.prod(shapes[name], dtype=np.int64)).reshape(shapes[name]) for name in given}
    found = session.run([*sources], numbers)
    return {name: (sources[name], index.ravel()) for name, index in zip(sources, found, strict=True)}


def _picks(node: onnx.NodeProto, of_alpha: set[str]) -> bool:
    return node.op_type in _PICKS and node.input[0] in of_alpha and of_alpha.isdisjoint(node.input[1:])


def _needed(halves: Split, wanted: set[str], given: set[str]) -> list[onnx.NodeProto]:
    """The nodes that make `wanted` of `given` and constants, in order."""
    found = []
    for node in reversed(halves.head):
        if not wanted.isdisjoint(node.output) and given.isdisjoint(node.output):
            wanted |= {*node.input}
            found.append(node)
    return found[::-1]
