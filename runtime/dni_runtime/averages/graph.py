"""A graph whose averages over all pixels can be measured in a part of the image, and given from outside."""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper, numpy_helper

from dni_runtime.alpha import ALPHA
from dni_runtime.weights.split import dependents

# Since then there is CastLike.
_LEAST_OPSET = 15
GIVEN, AXES = "dni_given", "dni_axes"


@dataclass(frozen=True, slots=True)
class Average:
    """The names of what an average has in `open_averages`'s graph.

    value:       input, the average to use where GIVEN is true.
    first, stop: inputs, int64 (2): the part of the feature map to measure, rows and columns.
    part:        output, the average over that part, float32, of the average's own shape.
    size:        output, int64 (4): the size of the feature map.
    rank:        how many axes the average has.
    depth:       1 where it depends on no other average, else one more than the deepest that it depends on.
    """

    value: str
    first: str
    stop: str
    part: str
    size: str
    rank: int
    depth: int

    @classmethod
    def numbered(cls, number: int, rank: int, depth: int) -> "Average":
        value, first, stop, part, size = (f"dni_{n}_{number}" for n in ("value", "first", "stop", "part", "size"))
        return cls(value, first, stop, part, size, rank, depth)


@dataclass(frozen=True, slots=True)
class Opened:
    """A model and its averages."""

    model: onnx.ModelProto
    averages: tuple[Average, ...]


def open_averages(slim: onnx.ModelProto) -> Opened | None:
    """A copy of `slim` that also takes GIVEN, bool (1), and what each Average names.

    None where there is no average, or one over the batch as well: that is no sample's own.
    """
    opset = next((entry.version for entry in slim.opset_import if entry.domain in ("", "ai.onnx")), 0)
    images = [value.name for value in slim.graph.input if not value.name.startswith(ALPHA)]
    of_image = dependents(slim.graph, images)
    found, over_batch = (
        [node.output[0] for node in slim.graph.node if node.output[0] in of_image and kind(node, slim.graph)]
        for kind in (_is_average, _is_over_batch)
    )
    if not found or over_batch or opset < _LEAST_OPSET:
        return None
    model = onnx.ModelProto()
    model.CopyFrom(slim)
    graph = model.graph
    averages: list[Average] = []
    nodes = list(graph.node)
    depths = _depths(nodes, set(found))
    del graph.node[:]
    for node in nodes:
        graph.node.append(node)
        if node.output[0] in found:
            averages.append(Average.numbered(len(averages), _rank(node, slim.graph), depths[node.output[0]]))
            graph.node.extend(_opened(graph.node[-1], averages[-1]))
    graph.input.append(helper.make_tensor_value_info(GIVEN, TensorProto.BOOL, [1]))
    graph.initializer.append(helper.make_tensor(AXES, TensorProto.INT64, [2], [2, 3]))
    for average in averages:
        graph.input.append(helper.make_tensor_value_info(average.value, TensorProto.FLOAT, [None] * average.rank))
        for corner in (average.first, average.stop):
            graph.input.append(helper.make_tensor_value_info(corner, TensorProto.INT64, [2]))
        graph.output.append(helper.make_tensor_value_info(average.part, TensorProto.FLOAT, None))
        graph.output.append(helper.make_tensor_value_info(average.size, TensorProto.INT64, [4]))
    return Opened(model, tuple(averages))


def _opened(node: onnx.NodeProto, names: Average) -> list[onnx.NodeProto]:
    """What stands after an average: `node` itself is changed to make another value."""
    features, result = node.input[0], node.output[0]
    own, part, typed, half = (f"{names.value}_{what}" for what in ("own", "features", "typed", "average"))
    node.output[0] = own
    measured = onnx.NodeProto()
    measured.CopyFrom(node)
    measured.name = f"{names.part}_{node.name}"
    measured.input[0], measured.output[0] = part, half
    return [
        helper.make_node("CastLike", [names.value, own], [typed]),
        helper.make_node("Where", [GIVEN, typed, own], [result]),
        helper.make_node("Slice", [features, names.first, names.stop, AXES], [part]),
        measured,
        helper.make_node("Cast", [half], [names.part], to=TensorProto.FLOAT),
        helper.make_node("Shape", [features], [names.size]),
    ]


def _is_average(node: onnx.NodeProto, graph: onnx.GraphProto) -> bool:
    if node.domain not in ("", "ai.onnx"):
        return False
    if node.op_type == "GlobalAveragePool":
        return True
    return node.op_type == "ReduceMean" and {axis % 4 for axis in _axes(node, graph)} in ({2, 3}, {1, 2, 3})


def _is_over_batch(node: onnx.NodeProto, graph: onnx.GraphProto) -> bool:
    if node.op_type != "ReduceMean" or node.domain not in ("", "ai.onnx"):
        return False
    return {axis % 4 for axis in _axes(node, graph) or range(4)} >= {0, 2, 3}


def _axes(node: onnx.NodeProto, graph: onnx.GraphProto) -> Sequence[int]:
    for attribute in node.attribute:
        if attribute.name == "axes":
            return list(attribute.ints)
    for tensor in graph.initializer:
        if len(node.input) > 1 and tensor.name == node.input[1] and not tensor.external_data:
            return [int(axis) for axis in numpy_helper.to_array(tensor).flat]
    return ()


def _rank(node: onnx.NodeProto, graph: onnx.GraphProto) -> int:
    kept = next((attribute.i for attribute in node.attribute if attribute.name == "keepdims"), 1)
    return 4 if kept else 4 - len(_axes(node, graph))


def _depths(nodes: Sequence[onnx.NodeProto], averages: set[str]) -> dict[str, int]:
    """Of how many averages, each made of what the one before gave, each value is made; nodes are in order."""
    depths: dict[str, int] = {}
    for node in nodes:
        depth = max((depths.get(name, 0) for name in node.input), default=0)
        for name in node.output:
            depths[name] = depth + (name in averages)
    return depths
