"""Factors and shifts of channels go into the convolution before them, and nothing that only looks like one does."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from laid_out_models import assert_laid_out
from onnx_models import METADATA, GraphBuilder, finish, noise, save

from dni_runtime.weights.fold import fold_channels
from dni_runtime.weights.recipe import Recipes
from dni_runtime.weights.split import dependents, split

X = noise(2, 3, 16, 24)
Body = Callable[[GraphBuilder], str]


def network(body: Body, *, size: tuple[int | str, int | str] = ("H", "W")) -> onnx.ModelProto:
    """`body` makes 8 channels of the value `input` between two convolutions."""
    graph = GraphBuilder(0, None)
    graph.node("Identity", [graph.conv(graph.relu(body(graph)), "last", 8, 3)], "output")
    return finish(graph, 3, ("N", *size), METADATA, None)


def kinds(model: onnx.ModelProto) -> Counter[str]:
    """The operators of what has to run for every image."""
    of_image = dependents(model.graph, ["input"])
    return Counter(node.op_type for node in model.graph.node if not of_image.isdisjoint(node.output))


def after_conv(*steps: tuple[str, tuple[int, ...]], bias: bool = True, first: bool = False) -> Body:
    """A convolution, and for each step a node with a weight of that shape."""

    def body(graph: GraphBuilder) -> str:
        x = graph.conv("input", "conv", 3, 8)
        if not bias:
            del graph.nodes[-1].input[2]
        for number, (kind, shape) in enumerate(steps):
            operands = [x, graph.weight(f"w{number}", shape)]
            x = graph.node(kind, operands[::-1] if first else operands, f"x{number}")
        return x

    return body


def transposed(graph: GraphBuilder) -> str:
    x = graph.relu(graph.conv("input", "conv", 3, 4, stride=2))
    x = graph.node("ConvTranspose", [x, graph.weight("up", (4, 8, 2, 2))], "enlarged", strides=[2, 2])
    return graph.node("Mul", [x, graph.weight("gain", (8, 1, 1))], "scaled")


def depthwise(graph: GraphBuilder) -> str:
    x = graph.relu(graph.conv("input", "conv", 3, 8))
    x = graph.node("Conv", [x, graph.weight("own", (8, 1, 1, 1))], "each", group=8)
    return graph.node("Mul", [x, graph.weight("gain", (1, 8, 1, 1))], "scaled")


def made_later(graph: GraphBuilder) -> str:
    """The factor is computed behind the convolution, from a weight that something else reads, too."""
    x = graph.conv("input", "conv", 3, 8)
    gain = graph.node("Exp", [graph.weight("logarithm", (8, 1, 1))], "gain")
    return graph.node("Add", [graph.node("Mul", [x, gain], "scaled"), "logarithm"], "moved")


def constant_beside(graph: GraphBuilder) -> str:
    """Numbers for each channel that no alpha moves: a data set's spread and mean."""
    x = graph.conv("input", "conv", 3, 8)
    x = graph.node("Div", [x, graph.constant("spread", np.linspace(1, 2, 8, dtype=np.float32).reshape(8, 1, 1))], "d")
    return graph.node("Sub", [x, graph.constant("mean", np.array(0.5, np.float32))], "s")


def constant_convolution(graph: GraphBuilder) -> str:
    weights = [graph.constant("w", np.random.default_rng(3).normal(size=(8, 3, 1, 1)).astype(np.float32))]
    return graph.node("Mul", [graph.node("Conv", ["input", *weights], "c"), graph.weight("gain", (8, 1, 1))], "scaled")


FOLDED: dict[str, Body] = {
    "factor": after_conv(("Mul", (1, 8, 1, 1))),
    "factor first": after_conv(("Mul", (8, 1, 1)), ("Add", (8, 1, 1)), first=True),
    "quotient": after_conv(("Div", (8, 1, 1))),
    "shift": after_conv(("Add", (1, 8, 1, 1))),
    "difference": after_conv(("Sub", (1, 8, 1, 1))),
    "one number": after_conv(("Mul", (1,)), ("Add", ())),
    "all": after_conv(("Mul", (8, 1, 1)), ("Add", (8, 1, 1)), ("Div", (1,)), ("Mul", (1, 8, 1, 1)), ("Sub", (8, 1, 1))),
    "no bias": after_conv(("Mul", (1, 8, 1, 1)), bias=False),
    "no bias, number": after_conv(("Sub", ()), bias=False),
    "no bias, all": after_conv(("Sub", (1,)), ("Mul", (8, 1, 1)), ("Add", (8, 1, 1)), bias=False),
    "transposed": transposed,
    "depthwise": depthwise,
    "made later": made_later,
    "constants": constant_beside,
    "constant convolution": constant_convolution,
}


@pytest.mark.parametrize("name", FOLDED)
def test_nothing_is_left_of_them(name: str, tmp_path: Path):
    model = network(FOLDED[name])
    before, after = kinds(model), kinds(fold_channels(model))
    arithmetic = {"Mul", "Div", "Add", "Sub"}
    assert arithmetic & before.keys() and not arithmetic & after.keys()
    assert after["Conv"] == before["Conv"] and after["ConvTranspose"] == before["ConvTranspose"]
    assert_laid_out(save(model, tmp_path / "model.onnx"), X)


def test_a_factor_stays_a_small_part_of_the_recipe():
    """A product of blends as large as the weight would be computed anew for each alpha, and gathered."""
    halves = split(fold_channels(network(FOLDED["all"])))
    (weight,) = (name for name in halves.weights if name.endswith("@weight"))
    recipe = Recipes(halves).of(weight)
    assert {constant for constant, _ in recipe.terms} == {"conv.weight.A", "conv.weight.B"}
    assert recipe.factor is not None


def used_twice(graph: GraphBuilder) -> str:
    x = graph.conv("input", "conv", 3, 8)
    return graph.node("Add", [graph.node("Mul", [x, graph.weight("gain", (8, 1, 1))], "scaled"), x], "sum")


def of_the_image(graph: GraphBuilder) -> str:
    x = graph.conv("input", "conv", 3, 8)
    return graph.node("Mul", [x, graph.node("ReduceMean", [x, graph.constant("a", np.array([2, 3]))], "mean")], "y")


def of_pixels(graph: GraphBuilder) -> str:
    return graph.node("Mul", [graph.conv("input", "conv", 3, 8), graph.weight("mask", (1, 16, 24))], "masked")


def of_the_last_axis(graph: GraphBuilder) -> str:
    """Eight columns, and eight channels."""
    x = graph.node(
        "Slice", ["input", *(graph.constant(n, np.array([v])) for n, v in (("f", 0), ("t", 8), ("x", 3)))], "n"
    )
    y = graph.node("Mul", [graph.conv(x, "conv", 3, 8), graph.weight("gain", (8,))], "scaled")
    return graph.node("Concat", [y, y, y], "wide", axis=3)


def of_five_axes(graph: GraphBuilder) -> str:
    x = graph.node("Mul", [graph.conv("input", "conv", 3, 8), graph.weight("gain", (1, 1, 8, 1, 1))], "scaled")
    return graph.node("Squeeze", [x, graph.constant("axis", np.array([0]))], "four")


def divided_by_it(graph: GraphBuilder) -> str:
    x = graph.conv("input", "conv", 3, 8)
    x = graph.node("Sub", [graph.weight("top", (8, 1, 1)), x], "what_is_left")
    return graph.node("Softplus", [x], "positive")


def grouped(graph: GraphBuilder) -> str:
    x = graph.relu(graph.conv("input", "conv", 3, 4))
    x = graph.node("ConvTranspose", [x, graph.weight("up", (4, 4, 1, 1))], "enlarged", group=2)
    return graph.node("Mul", [x, graph.weight("gain", (8, 1, 1))], "scaled")


def moving_weights(graph: GraphBuilder) -> str:
    """A convolution whose weights depend on the image."""
    mean = graph.node("ReduceMean", ["input", graph.constant("a", np.array([0, 1, 2, 3]))], "mean")
    kernel = graph.node("Mul", [graph.weight("kernel", (8, 3, 1, 1)), mean], "scaled_kernel")
    return graph.node("Mul", [graph.node("Conv", ["input", kernel], "c"), graph.weight("gain", (8, 1, 1))], "scaled")


KEPT: dict[str, Body] = {
    "used twice": used_twice,
    "of the image": of_the_image,
    "of pixels": of_pixels,
    "of the last axis": of_the_last_axis,
    "of five axes": of_five_axes,
    "divided by it": divided_by_it,
    "grouped": grouped,
    "moving weights": moving_weights,
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_no_factor_of_channels_stays(name: str, tmp_path: Path):
    model = network(KEPT[name], size=(16, 24))
    assert kinds(fold_channels(model)) == kinds(model)
    assert_laid_out(save(model, tmp_path / "model.onnx"), X)


def test_a_result_of_the_network_stays(tmp_path: Path):
    graph = GraphBuilder(0, None)
    graph.node("Mul", [graph.conv("input", "conv", 3, 3), graph.weight("gain", (3, 1, 1))], "output")
    model = finish(graph, 3, ("N", "H", "W"), METADATA, None)
    assert kinds(fold_channels(model)) == {"Conv": 1}
    assert_laid_out(save(model, tmp_path / "model.onnx"), X)
    graph.node("Relu", ["output"], "unused")
    model = finish(graph, 3, ("N", "H", "W"), METADATA, None)
    assert [value.name for value in fold_channels(model).graph.output] == ["output"]


def test_a_circle_ends():
    model = network(FOLDED["factor"])
    (product,) = (node for node in model.graph.node if node.output[0] == "x0")
    product.output[0] = "conv"
    fold_channels(model)
