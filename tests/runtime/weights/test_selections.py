"""Weights that are elements of others are blended where they go; what picks them does not run for every alpha."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from laid_out_models import assert_laid_out
from onnx_models import METADATA, GraphBuilder, finish, noise, save

from dni_runtime.prepared import prepare as preparing
from dni_runtime.prepared.prepare import prepare
from dni_runtime.weights.selections import selections
from dni_runtime.weights.split import split
from dni_runtime.weights.stored import Stored

X = noise(2, 3, 16, 24)
INDEX = np.random.default_rng(0).integers(-25, 25, (16, 24))
PICKS = {"Expand", "Gather", "GatherElements", "GatherND", "Slice", "Split", "Tile", "Transpose"}


def network(shift: Callable[[GraphBuilder], str]) -> onnx.ModelProto:
    """`shift` makes what is added to 8 channels of 16 x 24 pixels."""
    graph = GraphBuilder(0, None)
    x = graph.node("Add", [graph.conv("input", "first", 3, 8), shift(graph)], "shifted")
    graph.node("Identity", [graph.conv(graph.relu(x), "last", 8, 3)], "output")
    return finish(graph, 3, ("N", 16, 24), METADATA, None)


def constant(graph: GraphBuilder, *values: int) -> str:
    return graph.constant(f"constant{len(graph.initializers)}", np.array(values))


def relative_positions(graph: GraphBuilder) -> str:
    """As in attention within windows: a row of the table for each pair of places, heads first."""
    table = graph.weight("table", (25, 8))
    x = graph.node("Gather", [table, graph.constant("index", INDEX.ravel())], "rows", axis=0)
    x = graph.node("Reshape", [x, constant(graph, 16, 24, 8)], "pairs")
    x = graph.node("Transpose", [x], "heads", perm=[2, 0, 1])
    return graph.node("Unsqueeze", [x, constant(graph, 0)], "batch")


def by_coordinates(graph: GraphBuilder) -> str:
    table = graph.weight("table", (5, 5, 8))
    index = graph.constant("index", np.stack(np.unravel_index(INDEX % 25, (5, 5)), -1))
    return graph.node("Transpose", [graph.node("GatherND", [table, index], "rows")], "heads", perm=[2, 0, 1])


def parts(graph: GraphBuilder) -> str:
    """The second half of a weight, backwards, and repeated."""
    graph.node("Split", [graph.weight("both", (16, 1, 4)), constant(graph, 8, 8)], "first_half", axis=0)
    graph.nodes[-1].output.append("second_half")
    ends = [constant(graph, -1), constant(graph, -9), constant(graph, 0), constant(graph, -1)]
    turned = graph.node("Slice", ["second_half", *ends], "turned")
    return graph.node("Tile", [turned, constant(graph, 1, 16, 6)], "wide")


def after_a_function(graph: GraphBuilder) -> str:
    """The index stays when what is picked from is no blend."""
    table = graph.node("Sigmoid", [graph.weight("table", (25, 8))], "bounded")
    x = graph.node("Gather", [table, graph.constant("index", INDEX)], "rows", axis=0)
    return graph.node("Transpose", [x], "heads", perm=[2, 0, 1])


def of_a_product(graph: GraphBuilder) -> str:
    """A blend with a factor, which goes where its elements go."""
    table = graph.node("Mul", [graph.weight("table", (8, 25)), graph.weight("gain", (8, 1))], "scaled")
    return graph.node("Gather", [table, graph.constant("index", INDEX)], "columns", axis=1)


def alpha_itself(graph: GraphBuilder) -> str:
    x = graph.node("Expand", ["alpha", constant(graph, 8, 16, 24)], "strength")
    return graph.node("Mul", [x, graph.weight("map", (8, 16, 24))], "weighted")


def index_of_alpha(graph: GraphBuilder) -> str:
    """Which row is taken depends on alpha."""
    number = graph.node("Cast", [graph.node("Mul", ["alpha", "one"], "copied")], "number", to=onnx.TensorProto.INT64)
    return graph.node("Gather", [graph.weight("table", (2, 8, 16, 24)), number], "row", axis=0)


ALL: dict[str, tuple[Callable[[GraphBuilder], str], set[str]]] = {
    "relative positions": (relative_positions, set()),
    "by coordinates": (by_coordinates, set()),
    "parts": (parts, set()),
    "after a function": (after_a_function, set()),
    "of a product": (of_a_product, set()),
    "alpha itself": (alpha_itself, {"Expand"}),
    "index of alpha": (index_of_alpha, {"Gather"}),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("room", [2**19, 0])
def test_what_picks_does_not_run(name: str, room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without room for what is picked again and again, it is gathered: at once."""
    monkeypatch.setenv("DNI_CACHE_DIR", "")
    monkeypatch.setattr(preparing, "_REPEATED_LEAST", room)
    shift, kept = ALL[name]
    model = network(shift)
    head = onnx.load_from_string(prepare(model, tmp_path).head).graph
    own = [node for node in head.node if not node.input[0].startswith("dni@")]
    assert PICKS & {node.op_type for node in own} == kept
    assert_laid_out(save(model, tmp_path / "model.onnx"), X)


def test_the_index_of_each_element():
    model = network(relative_positions)
    halves = split(model)
    ((weight, (source, index)),) = selections(halves, Stored(halves, Path()), halves.weights).items()
    assert source == "table"
    assert weight == "rows"  # what follows only rearranges, which ONNX Runtime does once
    np.testing.assert_array_equal(index, np.arange(25 * 8).reshape(25, 8)[INDEX].ravel())
