"""The head makes weights of alpha, the body uses them; and how each weight follows from alpha."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx_models import METADATA, GraphBuilder, conv_stack, finish, unet

from dni_runtime.weights.recipe import Recipe, Recipes
from dni_runtime.weights.split import CannotPrepareError, Split, split, subgraph


def finished(graph: GraphBuilder, alpha_default: float | None = None) -> onnx.ModelProto:
    return finish(graph, 3, ("N", "H", "W"), METADATA, alpha_default)


def operators(nodes: tuple[onnx.NodeProto, ...]) -> list[str]:
    return [node.op_type for node in nodes]


@pytest.mark.parametrize("make", [conv_stack, unet])
def test_the_image_and_alpha_do_not_meet(make: Callable[[], onnx.ModelProto]):
    model = make()
    halves = split(model)
    made = {name for node in halves.head for name in node.output}
    read = {name for node in halves.body for name in node.input}
    assert set(halves.weights) == made & read
    assert "input" not in {name for node in halves.head for name in node.input}
    assert "alpha" not in read
    assert len(halves.head) + len(halves.body) == len(model.graph.node)
    assert set(operators(halves.head)) == {"Sub", "Mul", "Add"}


def test_moves_of_a_weight_belong_to_the_body():
    """There ONNX Runtime folds them into its layout; the flat array holds the weight as it is stored."""
    graph = GraphBuilder(0, None)
    weight = graph.node("Transpose", [graph.weight("matrix", (3, 8))], "transposed", perm=[1, 0])
    weight = graph.node("Reshape", [weight, graph.constant("shape", np.array([8, 3, 1, 1]))], "kernel")
    x = graph.node("Conv", ["input", weight], "first")
    graph.node("Identity", [graph.conv(x, "last", 8, 3)], "output")
    halves = split(finished(graph))
    assert "matrix" in halves.weights
    assert {"Transpose", "Reshape"} <= set(operators(halves.body))


def test_a_move_that_the_head_needs_stays_there():
    graph = GraphBuilder(0, None)
    moved = graph.node(
        "Reshape", [graph.weight("gain", (3,)), graph.constant("shape", np.array([1, 3, 1, 1]))], "moved"
    )
    twice = graph.node("Add", [moved, moved], "twice")
    graph.node("Mul", [graph.conv("input", "first", 3, 3), twice], "output")
    halves = split(finished(graph))
    assert "Reshape" in operators(halves.head)
    assert "twice" in halves.weights


def test_constants_that_are_not_folded_go_where_they_are_needed():
    graph = GraphBuilder(0, None)
    constant = graph.node("Neg", [graph.constant("two", np.array([2], np.float32))], "minus.two")
    weight = graph.node("Mul", [graph.weight("gain", (3, 1, 1)), constant], "scaled")
    x = graph.node("Mul", [graph.conv("input", "first", 3, 3), weight], "tinted")
    graph.node("Add", [x, constant], "output")
    halves = split(finished(graph))
    for nodes in (halves.head, halves.body):
        assert "Neg" in operators(nodes)


def test_a_default_is_no_stored_tensor():
    halves = split(finished(stack(), alpha_default=0.3))
    assert "alpha" not in {tensor.name for tensor in halves.model.graph.initializer}


def stack() -> GraphBuilder:
    graph = GraphBuilder(0, None)
    graph.node("Identity", [graph.conv("input", "first", 3, 3)], "output")
    return graph


def with_sparse_weights() -> onnx.ModelProto:
    model = finished(stack())
    values = onnx.helper.make_tensor("sparse", onnx.TensorProto.FLOAT, [1], [1.0])
    indices = onnx.helper.make_tensor("sparse.index", onnx.TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, indices, [3]))
    return model


def weights_as_output() -> onnx.ModelProto:
    model = finished(stack())
    model.graph.output.append(onnx.helper.make_tensor_value_info("first.weight", onnx.TensorProto.FLOAT, [3, 3, 3, 3]))
    return model


def unused_alpha() -> onnx.ModelProto:
    graph = GraphBuilder(0, None)
    graph.node("Relu", ["input"], "output")
    return finished(graph)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (with_sparse_weights, "the graph has sparse weights"),
        (weights_as_output, "alpha does more than blend weights"),
        (unused_alpha, "alpha does more than blend weights"),
    ],
)
def test_what_cannot_be_split(make: Callable[[], onnx.ModelProto], reason: str):
    with pytest.raises(CannotPrepareError, match=reason):
        split(make())


def test_a_part_holds_what_it_needs_only():
    model = conv_stack()
    wanted = onnx.helper.make_tensor_value_info("first.bias", onnx.TensorProto.FLOAT, [8])
    alpha = [value for value in model.graph.input if value.name == "alpha"]
    part = subgraph(model, model.graph.node, alpha, [wanted])
    onnx.checker.check_model(part)
    assert {tensor.name for tensor in part.graph.initializer} == {"one", "first.bias.A", "first.bias.B"}
    assert operators(tuple(part.graph.node)) == ["Sub", "Mul", "Mul", "Add"]


# --- recipes ---


def recipe(build: Callable[[GraphBuilder], str]) -> Recipe:
    """The recipe of a weight [1, 3, 1, 1] that `build` returns."""
    graph = GraphBuilder(0, None)
    weight = build(graph)
    graph.node("Mul", [graph.conv("input", "first", 3, 3), weight], "output")
    halves: Split = split(finished(graph))
    return Recipes(halves).of(weight)


GAIN = (1, 3, 1, 1)
BLEND = (("gain.A", "alpha"), ("gain.B", "rest"))


def test_a_blend():
    assert recipe(lambda g: g.weight("gain", GAIN)) == Recipe(BLEND)


def test_a_share_in_another_shape_is_the_same_share():
    def build(graph: GraphBuilder) -> str:
        shape = graph.constant("shape", np.array([1, 1, 1, 1]))
        share = graph.node("Reshape", ["alpha", shape], "share")
        a = graph.node("Mul", [share, graph.constant("gain.A", np.ones(GAIN, np.float32))], "gain.a")
        b = graph.node("Mul", [graph.constant("gain.B", np.ones(GAIN, np.float32)), "rest"], "gain.b")
        return graph.node("Add", [a, b], "gain")

    assert recipe(build) == Recipe(BLEND)


@pytest.mark.parametrize(("operator", "divides"), [("Mul", False), ("Div", True)])
def test_a_blend_with_a_smaller_factor(operator: str, divides: bool):
    def build(graph: GraphBuilder) -> str:
        return graph.node(operator, [graph.weight("gain", GAIN), graph.weight("norm", (1,))], "scaled")

    assert recipe(build) == Recipe(BLEND, "norm", divides)


def test_a_factor_in_front():
    def build(graph: GraphBuilder) -> str:
        return graph.node("Mul", [graph.weight("norm", (1,)), graph.weight("gain", GAIN)], "scaled")

    assert recipe(build) == Recipe(BLEND, "norm")


def divided_by_a_blend(graph: GraphBuilder) -> str:
    return graph.node("Div", [graph.weight("norm", (1,)), graph.weight("gain", GAIN)], "scaled")


def two_of_one_size(graph: GraphBuilder) -> str:
    return graph.node("Mul", [graph.weight("gain", GAIN), graph.weight("other", GAIN)], "scaled")


def shifted(graph: GraphBuilder) -> str:
    return graph.node("Add", [graph.weight("gain", GAIN), graph.constant("shift", np.ones(1, np.float32))], "shifted")


def spread(graph: GraphBuilder) -> str:
    """Three elements of one stored: their sum is no slice of the endpoints."""
    ones = graph.constant("ones", np.ones(GAIN, np.float32))
    return graph.node("Add", [graph.weight("one.element", (1,)), graph.node("Mul", [ones, "alpha"], "more")], "spread")


def function_of_a_blend(graph: GraphBuilder) -> str:
    return graph.node("Exp", [graph.weight("gain", GAIN)], "exponential")


@pytest.mark.parametrize("build", [divided_by_a_blend, two_of_one_size, shifted, spread, function_of_a_blend])
def test_anything_else_has_no_recipe(build: Callable[[GraphBuilder], str]):
    assert recipe(build) == Recipe(())
