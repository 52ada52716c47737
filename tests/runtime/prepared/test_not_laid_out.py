"""Models that nobody can prepare: they run as they are, and the note says why."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from exporting import small_pair
from laid_out_models import assert_laid_out, assert_plain
from onnx_models import METADATA, GraphBuilder, conv_stack, finish, save

from dni_exporters import export

# --- what an export may ask for ---


def test_float16_models_fall_back(tmp_path: Path):
    network, endpoints = small_pair()
    export(endpoints, tmp_path / "model.onnx", alpha_input=True, arch=network, dtype="float16")
    assert_plain(tmp_path / "model.onnx", "weights are of type float16, float32 is expected")


# --- models that nobody can prepare ---


def with_control_flow() -> onnx.ModelProto:
    proto = conv_stack()
    branch = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["second"], ["chosen"])],
        "branch",
        [],
        [onnx.helper.make_tensor_value_info("chosen", onnx.TensorProto.FLOAT, None)],
    )
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array(True), "condition"))
    last = proto.graph.node[-1]
    last.CopyFrom(onnx.helper.make_node("If", ["condition"], ["output"], then_branch=branch, else_branch=branch))
    return proto


def alpha_in_the_image() -> onnx.ModelProto:
    graph = GraphBuilder(0, None)
    x = graph.conv("input", "first", 3, 3)
    graph.node("Mul", [x, "alpha"], "output")
    return finish(graph, 3, ("N", "H", "W"), METADATA, None)


def no_weights() -> onnx.ModelProto:
    graph = GraphBuilder(0, None)
    graph.node("Mul", ["input", "alpha"], "output")
    return finish(graph, 3, ("N", "H", "W"), METADATA, None)


def with_a_double_result() -> onnx.ModelProto:
    proto = conv_stack()
    (output,) = proto.graph.output
    proto.graph.node[-1].output[0] = "narrow"
    proto.graph.node.append(onnx.helper.make_node("Cast", ["narrow"], ["output"], to=onnx.TensorProto.DOUBLE))
    output.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    return proto


def with_a_function() -> onnx.ModelProto:
    proto = conv_stack()
    opsets = [onnx.helper.make_opsetid("", 18)]
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    proto.functions.append(onnx.helper.make_function("local", "Pass", ["x"], ["y"], [node], opsets))
    proto.opset_import.append(onnx.helper.make_opsetid("local", 1))
    proto.graph.node[-1].CopyFrom(onnx.helper.make_node("Pass", ["second"], ["output"], domain="local"))
    return proto


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (with_control_flow, "the graph has functions or control flow"),
        (with_a_function, "the graph has functions or control flow"),
        (with_a_double_result, "the result is of type double, float32 is expected"),
        (alpha_in_the_image, "alpha does more than blend weights"),
        (no_weights, "alpha does more than blend weights"),
    ],
)
def test_graphs_that_run_as_they_are(make: Callable[[], onnx.ModelProto], reason: str, tmp_path: Path):
    assert_plain(save(make(), tmp_path / "model.onnx"), reason)


def test_a_wide_range_and_no_metadata(tmp_path: Path):
    wide = replace(METADATA, alpha_range=(-2.0, 3.0))
    assert_laid_out(save(conv_stack(metadata=wide), tmp_path / "wide.onnx"), alphas=(-2.0, -0.5, 0.3, 3.0))
    assert_laid_out(save(conv_stack(metadata=None), tmp_path / "foreign.onnx"))


@pytest.mark.parametrize("shape", [(), (1,)])
def test_a_default_of_alpha_is_no_weight(shape: tuple[int, ...], tmp_path: Path):
    """Of two factors of one element each, one is alpha, whose default is stored as a weight is."""
    graph = GraphBuilder(0, None)
    x = graph.node("Mul", [graph.conv("input", "first", 3, 3), graph.weight("strength", shape)], "scaled")
    graph.node("Add", [x, "input"], "output")
    for node in graph.nodes:
        if node.op_type == "Mul" and "strength" in node.output[0]:
            first, second = node.input
            del node.input[:]
            node.input.extend([second, first])
    assert_laid_out(save(finish(graph, 3, ("N", "H", "W"), METADATA, 0.3), tmp_path / "model.onnx"))
