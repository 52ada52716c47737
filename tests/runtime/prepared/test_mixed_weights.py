"""What ONNX Runtime makes of two weights, or of one and the graph, is not learnt; everything beside it is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from laid_out_models import assert_laid_out
from onnx_models import METADATA, GraphBuilder, finish, noise, save

from dni_runtime.prepared import cache as prepared_cache
from dni_runtime.prepared.layout import learn_layout
from dni_runtime.weights.fold import fold_channels
from dni_runtime.weights.split import split

X = noise(2, 3, 16, 24)


def finished(graph: GraphBuilder) -> onnx.ModelProto:
    return finish(graph, 3, ("N", "H", "W"), METADATA, None)


def mixing() -> onnx.ModelProto:
    """A BatchNorm that no convolution takes in: ONNX Runtime makes a factor and a shift of its four weights."""
    graph = GraphBuilder(0, None)
    y = graph.conv("input", "first", 3, 16)
    weights = [graph.weight(f"norm.{name}", (16,)) for name in ("weight", "bias", "mean")]
    weights.append(graph.node("Exp", [graph.weight("norm.logarithm", (16,))], "norm.variance"))
    x = graph.relu(graph.node("BatchNormalization", [y, *weights], "norm"))
    x = graph.node("Add", [x, y], "sum")
    graph.node("Identity", [graph.conv(x, "last", 16, 3)], "output")
    return finished(graph)


def two_shifts() -> onnx.ModelProto:
    """Biases that are added to biases: no sum of two may be taken for a third one that is scaled."""
    graph = GraphBuilder(0, None)
    x = "input"
    for layer in range(6):
        x = graph.conv(x, f"conv{layer}", 16 if layer else 3, 16)
        x = graph.relu(graph.node("Add", [x, graph.weight(f"shift{layer}", (1, 16, 1, 1))], f"shifted{layer}"))
    graph.node("Identity", [graph.conv(x, "last", 16, 3)], "output")
    return finished(graph)


def shift_of_the_graph() -> onnx.ModelProto:
    """The mean of the pixels of a data set, which many networks add to what their last convolution gives."""
    graph = GraphBuilder(0, None)
    x = graph.conv(graph.relu(graph.conv("input", "first", 3, 16)), "last", 16, 3)
    mean = graph.constant("mean", np.array([0.4488, 0.4371, 0.4040], np.float32).reshape(1, 3, 1, 1))
    graph.node("Add", [x, mean], "output")
    return finished(graph)


def factors_of_the_graph() -> onnx.ModelProto:
    """One for each channel, such as the spread of a data set's pixels."""
    graph = GraphBuilder(0, None)
    x = graph.conv(graph.relu(graph.conv("input", "first", 3, 16)), "last", 16, 3)
    spread = graph.constant("spread", np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1))
    graph.node("Mul", [x, spread], "output")
    return finished(graph)


def tied() -> onnx.ModelProto:
    """A convolution in three places, in one of them with a factor: its weights are found, and mixed as well."""
    graph = GraphBuilder(0, None)
    x = graph.relu(graph.conv("input", "first", 3, 16))
    weights = [graph.weight("tied.weight", (16, 16, 3, 3)), graph.weight("tied.bias", (16,))]
    for place in ("early", "late"):
        x = graph.relu(graph.node("Conv", [x, *weights], place, pads=[1, 1, 1, 1]))
    x = graph.node("Conv", [x, *weights], "third", pads=[1, 1, 1, 1])
    x = graph.node("Mul", [x, graph.weight("gain", (1, 16, 1, 1))], "scaled")
    x = graph.node("Mul", [x, graph.node("Reshape", ["gain", graph.constant("s", np.array([16, 1, 1]))], "again")], "x")
    graph.node("Identity", [graph.conv(x, "last", 16, 3)], "output")
    return finished(graph)


def temperature() -> onnx.ModelProto:
    """Attention between channels, divided by one learnt number: ONNX Runtime makes an attribute of such a constant."""
    graph = GraphBuilder(0, None)
    x = graph.node("Reshape", [graph.conv("input", "first", 3, 16), graph.constant("s", np.array([0, 16, -1]))], "flat")
    key = graph.node("Transpose", [x], "key", perm=[0, 2, 1])
    scaled = graph.node("Mul", [x, graph.node("Exp", [graph.weight("logarithm", (1, 1, 1))], "temperature")], "scaled")
    y = graph.node("Softmax", [graph.node("MatMul", [scaled, key], "likeness")], "attention", axis=-1)
    y = graph.node("MatMul", [y, graph.node("Mul", [x, "temperature"], "value")], "attended")
    y = graph.node("Reshape", [y, graph.node("Shape", ["first"], "size")], "pixels")
    graph.node("Identity", [graph.conv(y, "last", 16, 3)], "output")
    return finished(graph)


def constants_of_constants() -> onnx.ModelProto:
    """A transposed table beside mixed weights: neither in the file nor of any weight, so it has to be kept."""
    graph = GraphBuilder(0, None)
    x = graph.conv("input", "first", 3, 16)
    x = graph.node("Mul", [x, graph.weight("gain", (1, 16, 1, 1))], "scaled")
    table = graph.constant("table", np.random.default_rng(1).random((24, 16), np.float32))
    turned = graph.node("Transpose", [table], "turned", perm=[1, 0])
    x = graph.node("Max", [x, turned], "bounded")
    graph.node("Identity", [graph.conv(x, "last", 16, 3)], "output")
    return finish(graph, 3, ("N", 16, 24), METADATA, None)


def constants_mixed() -> onnx.ModelProto:
    """A layer that is the same in all endpoints: ONNX Runtime multiplies its weights by factors of the graph."""
    graph = GraphBuilder(0, None)
    random = np.random.default_rng(1)
    weights = {"w": (16, 16, 3, 3), "b": (16,), "gain": (1, 16, 1, 1)}
    for name, shape in weights.items():
        graph.constant(name, random.normal(size=shape).astype(np.float32))
    x = graph.node("Conv", [graph.relu(graph.conv("input", "first", 3, 16)), "w", "b"], "same", pads=[1, 1, 1, 1])
    x = graph.relu(graph.node("Mul", [x, "gain"], "scaled"))
    graph.node("Identity", [graph.conv(x, "last", 16, 3)], "output")
    return finished(graph)


def one_channel() -> onnx.ModelProto:
    """Attention of pixels: biases of one element, and a factor of one that is as large as one of them may be."""
    graph = GraphBuilder(0, None)
    x = graph.relu(graph.conv("input", "first", 3, 16))
    for number in range(3):
        mask = graph.node("Sigmoid", [graph.conv(x, f"mask{number}", 16, 1)], f"open{number}")
        x = graph.node(
            "Mul", [graph.node("Mul", [x, mask], f"masked{number}"), graph.weight(f"f{number}", ())], f"x{number}"
        )
    graph.node("Identity", [graph.conv(x, "last", 16, 3)], "output")
    return finished(graph)


@pytest.mark.parametrize(
    "make",
    [
        mixing,
        two_shifts,
        shift_of_the_graph,
        factors_of_the_graph,
        tied,
        temperature,
        constants_of_constants,
        constants_mixed,
        one_channel,
    ],
)
def test_weights_that_are_mixed_or_lost_are_inputs(make: Callable[[], onnx.ModelProto], tmp_path: Path):
    """And all convolutions that ONNX Runtime rearranges stay so."""
    model = make()
    body = learn_layout(split(fold_channels(model)), Path()).body
    assert_laid_out(save(model, tmp_path / "model.onnx"), X)
    if "avx" in prepared_cache._cpu():
        assert {node.domain for node in body.graph.node if node.op_type == "Conv"} == {"com.microsoft.nchwc"}
