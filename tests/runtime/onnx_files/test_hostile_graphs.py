"""Graphs made to be slow to read: whatever the file, reading takes time and memory of the file's size."""

import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import conv_stack, noise

from dni_runtime import ModelError, load
from dni_runtime.cuda.device_plan.plan import plan_device
from dni_runtime.onnx_files.reading import read_model
from dni_runtime.prepared.prepare import prepare
from dni_runtime.weights.alpha_file import read_onnx_file
from dni_runtime.weights.recipe import ONE, Recipes
from dni_runtime.weights.split import CannotPrepareError, dependents, split

WEIGHT = np.random.default_rng(0).random((3, 3, 1, 1)).astype(np.float32)
X = noise(1, 3, 8, 8)

Nodes = list[onnx.NodeProto]


def with_head(head: Nodes, initializers: Iterable[onnx.TensorProto] = ()) -> onnx.ModelProto:
    """A convolution whose weight `w` the nodes of `head` make of alpha and A."""
    graph = helper.make_graph(
        [*head, helper.make_node("Conv", ["input", "w"], ["output"])],
        "network",
        [
            helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, "H", "W"]),
            helper.make_tensor_value_info("alpha", TensorProto.FLOAT, [1]),
        ],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", 3, None, None])],
        [numpy_helper.from_array(WEIGHT, "A"), *initializers],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def save(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def chain(count: int, step: Callable[[int], onnx.NodeProto]) -> onnx.ModelProto:
    """alpha * A, then `step` again and again."""
    first = helper.make_node("Mul", ["A", "alpha"], ["v0"])
    last = helper.make_node("Identity", [f"v{count}"], ["w"])
    shape = numpy_helper.from_array(np.array(WEIGHT.shape, np.int64), "shape")
    return with_head([first, *(step(i) for i in range(count)), last], [shape])


def doubled(i: int) -> onnx.NodeProto:
    return helper.make_node("Add", [f"v{i}", f"v{i}"], [f"v{i + 1}"])


def added(i: int) -> onnx.NodeProto:
    return helper.make_node("Add", [f"v{i}", "A"], [f"v{i + 1}"])


def squared(i: int) -> onnx.NodeProto:
    return helper.make_node("Mul", [f"v{i}", f"v{i}"], [f"v{i + 1}"])


def reshaped(i: int) -> onnx.NodeProto:
    return helper.make_node("Reshape", [f"v{i}", "shape"], [f"v{i + 1}"])


STEPS = [doubled, added, squared, reshaped]


def cpu_s(run: Callable[[], object]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


@pytest.mark.parametrize("step", STEPS)
def test_the_time_to_read_a_graph_grows_with_its_nodes(step: Callable[[int], onnx.NodeProto]):
    """18 additions took 9 s, and each one more twice as long. Processor time, as the machine may be busy."""

    def read(model: onnx.ModelProto) -> None:
        halves = split(model)
        Recipes(halves).of(*halves.weights)

    few, many = chain(2_000, step), chain(10_000, step)
    assert cpu_s(lambda: read(many)) < 4 * 5 * max(cpu_s(lambda: read(few)), 0.05)


def plan(slim: onnx.ModelProto, nhwc: bool) -> None:
    with contextlib.suppress(CannotPrepareError):  # then the graph runs as it is in the file
        plan_device(slim, Path(), nhwc=nhwc)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("nhwc", [False, True])
def test_so_does_planning_for_a_gpu(step: Callable[[int], onnx.NodeProto], nhwc: bool):
    assert cpu_s(lambda: plan(chain(1_000, step), nhwc)) < 10


@pytest.mark.parametrize(("step", "value"), [(added, 24.3), (doubled, 0.3 * 2**24)])
def test_a_chain_of_additions_gives_the_right_pixels(step: Callable[[int], onnx.NodeProto], value: float, tmp_path):
    expected = np.einsum("oi,nihw->nohw", value * WEIGHT[:, :, 0, 0], X)
    with load(save(chain(24, step), tmp_path), "cpu") as model:
        np.testing.assert_allclose(model(X, 0.3), expected, rtol=1e-5)


def test_a_sum_of_more_terms_than_anybody_has_endpoints_is_no_blend():
    recipes = Recipes(split(chain(24, doubled)))
    assert recipes.blend("v8") == (("A", "alpha"),) * 256
    assert recipes.blend("v9") == recipes.blend("v24") == ()
    assert Recipes(split(chain(10, added))).blend("v2") == (("A", "alpha"), ("A", ONE), ("A", ONE))


@pytest.mark.parametrize("inputs", [[], ["A"], ["A", "alpha", "A"], ["", "alpha"]])
@pytest.mark.parametrize("kind", ["Mul", "Div", "Add"])
def test_operators_with_other_numbers_of_inputs(kind: str, inputs: list[str], tmp_path: Path):
    with pytest.raises(ModelError, match=r"model\.onnx cannot be loaded: "):
        load(save(with_head([helper.make_node(kind, inputs, ["w"])]), tmp_path), "cpu")


@pytest.mark.parametrize("inputs", [[], ["input"], ["input", ""]])
def test_openvino_is_given_no_convolution_without_a_weight(inputs: list[str], tmp_path: Path):
    """It ends the process."""
    pytest.importorskip("openvino")
    model = with_head([helper.make_node("Mul", ["A", "alpha"], ["w"])])
    model.graph.node[-1].CopyFrom(helper.make_node("Conv", inputs, ["output"]))
    with pytest.raises(ModelError, match=r"is damaged: a Conv has the inputs .*expected at least 2 and at most 3"):
        load(save(model, tmp_path), "openvino")


def test_a_graph_in_a_circle(tmp_path: Path):
    circle = [
        helper.make_node("Add", ["A", "q"], ["p"]),
        helper.make_node("Add", ["p", "alpha"], ["q"]),
        helper.make_node("Identity", ["q"], ["w"]),
    ]
    model = with_head(circle)
    assert dependents(model.graph, ["alpha"]) == {"alpha", "p", "q", "w", "output"}
    path = save(model, tmp_path)
    with pytest.raises(ModelError, match=r"model\.onnx cannot be loaded: .*acyclic"):
        load(path, "cpu")
    pytest.importorskip("openvino")  # which takes all memory there is
    with pytest.raises(ModelError, match="is damaged: its node '' needs its own result"):
        load(path, "openvino")


def test_values_that_two_nodes_make(tmp_path: Path):
    node = helper.make_node("Mul", ["A", "alpha"], ["w"])
    with pytest.raises(ModelError, match="is damaged: 2 of its nodes make 'w', expected is one"):
        load(save(with_head([node, node]), tmp_path), "cpu")


def test_a_list_of_values_without_a_name(tmp_path: Path):
    """ONNX Runtime 1.31 crashes as it runs it; an optional output may be left out."""
    split = helper.make_node("Split", ["A"], ["", "w"], axis=0, num_outputs=2)
    with pytest.raises(ModelError, match="is damaged: a node Split makes a value without a name, at which"):
        read_model(save(with_head([split]), tmp_path))
    dropout = helper.make_node("Dropout", ["A"], ["w", ""])
    assert read_model(save(with_head([dropout]), tmp_path)).graph.node[0].op_type == "Dropout"


def test_nodes_out_of_order_depend_on_what_they_read():
    model = conv_stack(alpha=0.5)
    nodes = list(model.graph.node)
    wanted = dependents(model.graph, ["input"])
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    assert dependents(model.graph, ["input"]) == wanted


def test_a_share_for_each_of_many_weights_takes_no_more_memory_than_weights_do(tmp_path: Path):
    """Each lies beside its own share alone: in a row for each share 300 weights would be 300 times the file."""
    nodes, weights = [], []
    for i in range(300):
        nodes.append(helper.make_node("Add", ["alpha", f"c{i}"], [f"s{i}"]))
        nodes.append(helper.make_node("Mul", [f"B{i}", f"s{i}"], [f"w{i}"]))
        nodes.append(helper.make_node("Conv", ["input", f"w{i}"], [f"x{i}"]))
        weights.append(numpy_helper.from_array(np.full((3, 3, 20, 20), 1e-4, np.float32), f"B{i}"))
        weights.append(numpy_helper.from_array(np.array([1 + i / 300], np.float32), f"c{i}"))
    model = with_head([*nodes, helper.make_node("Mul", ["A", "alpha"], ["w"])], weights)
    model.graph.node[-1].output[0] = "last"
    model.graph.node.append(helper.make_node("Max", ["last", *(f"x{i}" for i in range(300))], ["output"]))
    prepared = prepare(model, tmp_path)
    assert len(prepared.groups) == 301
    assert prepared.endpoints.size == prepared.blended


def test_one_weight_with_many_shares_takes_no_memory_for_each(tmp_path: Path):
    count = 40
    nodes = [helper.make_node("Mul", ["B", "alpha"], ["sum0"])]
    weights = [numpy_helper.from_array(np.full((3, 3, 200, 200), 1e-4, np.float32), "B")]
    for i in range(1, count):
        weights.append(numpy_helper.from_array(np.array([1 + i / 300], np.float32), f"c{i}"))
        nodes.append(helper.make_node("Add", ["alpha", f"c{i}"], [f"s{i}"]))
        nodes.append(helper.make_node("Mul", ["B", f"s{i}"], [f"b{i}"]))
        nodes.append(helper.make_node("Add", [f"sum{i - 1}", f"b{i}"], ["w" if i == count - 1 else f"sum{i}"]))
    with pytest.raises(CannotPrepareError, match="products of stored elements and shares are blended, too many"):
        prepare(with_head(nodes, weights), tmp_path)


def test_weights_that_are_spread_from_few_elements_are_not_laid_out(tmp_path: Path):
    size = numpy_helper.from_array(np.array([3, 3, 1024, 1024], np.int64), "size")
    model = with_head(
        [helper.make_node("Mul", ["A", "alpha"], ["b"]), helper.make_node("Expand", ["b", "size"], ["w"])], [size]
    )
    with pytest.raises(CannotPrepareError, match="of 13 stored elements 9437184 of weights are made"):
        prepare(model, tmp_path)


def test_many_constants_that_are_kept_are_followed_once(tmp_path: Path):
    """What depends on any of them was looked for once for each of them."""
    quantized = numpy_helper.from_array(np.ones((3, 3, 1, 1), np.int8), "q")
    scale = numpy_helper.from_array(np.float32(1), "s")
    nodes = [helper.make_node("DequantizeLinear", ["q", "s"], [f"d{i}"]) for i in range(10_000)]
    nodes.append(helper.make_node("Mul", ["d5", "alpha"], ["w"]))
    file = read_onnx_file(save(with_head(nodes, [quantized, scale]), tmp_path))
    assert file is not None
    assert cpu_s(lambda: file.constant_weights) < 5
    assert not file.constant_weights


def nested(depth: int) -> bytes:
    """A model whose node has a subgraph whose node has one, and so on: more than Protocol Buffers reads."""

    def field(number: int, content: bytes) -> bytes:
        return _varint(number << 3 | 2) + _varint(len(content)) + content

    graph = b""
    for _ in range(depth):
        graph = field(1, field(5, field(6, graph)) + field(4, b"If"))
    return field(7, graph)


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def test_subgraphs_in_subgraphs(tmp_path: Path):
    path = tmp_path / "model.onnx"
    path.write_bytes(nested(20))
    assert read_model(path).graph.node[0].op_type == "If"
    path.write_bytes(nested(1000))
    with pytest.raises(ModelError, match="is not an ONNX file, or only a part of one"):
        read_model(path)
