"""Alpha is free for small files, too: laid out from what they store, pinned and folded, and on a device."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from exporting import assert_close, photo, run, small_pair
from networks import NETWORKS, pair
from onnx import TensorProto, helper, numpy_helper
from onnx_models import METADATA, GraphBuilder, finish, save

from dni_deploy.bench.approaches.baked import write_baked
from dni_exporters import export
from dni_exporters.job import DELTAS
from dni_runtime import load, pin
from dni_runtime.cuda.on_device import OnDevice
from dni_runtime.onnx_files.declared import Declared
from dni_runtime.prepared.laid_out import LaidOut
from dni_runtime.prepared.prepare import prepare
from dni_runtime.providers.sessions import Place
from dni_runtime.signature import read_signature
from dni_runtime.weights.alpha_file import read_onnx_file
from dni_runtime.weights.recipe import ONE, Recipe, Recipes
from dni_runtime.weights.split import CannotPrepareError, split
from dni_runtime.weights.stored import Stored

IMAGE = photo(2, 3, 28, 12)
ALPHAS = (0.0, 0.31, 0.5, 0.77, 1.0)
LAID_OUT = "weights are blended in ONNX Runtime's own layout when alpha changes"


def small_model(folder: Path, name: str, kind: str) -> Path:
    """The network `name` of networks.py with differences; exported once for all tests."""
    path = folder / "delta" / f"{name}-{kind}.onnx"
    if not path.exists():
        network, a, b = pair(name)
        export([a, b], path, alpha_input=True, arch=network, delta=kind, verify=False)
    return path


CHOSEN = ["batch_norm", "equal_tensors", "grouped_batch_norm", "linear", "named_alpha", "scalar", "spectral_norm"]
CHOSEN += ["tied", "transposed_batch_norm", "unet", "used_twice"]


@pytest.mark.parametrize(
    ("name", "kind"), [*((name, "int8") for name in CHOSEN), ("batch_norm", "float16"), ("unet", "float16")]
)
def test_small_files_are_laid_out_pinned_and_kept_on_a_device(
    name: str, kind: str, tmp_path_factory: pytest.TempPathFactory
):
    assert name in NETWORKS
    path = small_model(tmp_path_factory.getbasetemp(), name, kind)
    file = read_onnx_file(path)
    assert file is not None and file.metadata is not None
    signature = read_signature(Declared(file.slim), file.metadata)
    on_device = OnDevice(file, signature, Place("cpu"), graphs=False)
    with load(path, "cpu", alpha_policy="dynamic") as model, load(path, "cpu", alpha_policy="pinned") as pinned:
        assert model.alpha_note == LAID_OUT
        for alpha in ALPHAS:
            wanted = run(path, IMAGE, alpha)
            assert_close(model(IMAGE, alpha), wanted)
            assert_close(pinned(IMAGE, alpha), wanted)
            assert_close(on_device.run(IMAGE, (alpha,)), wanted)


@pytest.mark.parametrize("kind", DELTAS)
def test_weights_are_laid_out_as_those_of_a_file_with_both_endpoints(tmp_path: Path, kind: str):
    """One row for each endpoint, so that memory and a change of alpha cost what they do for any model."""
    for count in (2, 3):
        network, endpoints = small_pair(count)
        for delta in (None, kind):
            path = tmp_path / f"{delta}{count}.onnx"
            export(endpoints, path, alpha_input=True, arch=network, delta=delta)
        whole, small = (
            prepare(read_onnx_file(tmp_path / f"{delta}{count}.onnx").slim, tmp_path) for delta in (None, kind)
        )
        (ours,), (theirs,) = small.blocks, whole.blocks
        assert ours.shape == theirs.shape == (count, whole.total)
        assert small.slices == whole.slices
        base, *differences = ours
        *others, last = theirs
        np.testing.assert_allclose(base, last, atol=5e-4)  # in float16
        for difference, other in zip(differences, others, strict=True):
            np.testing.assert_allclose(base + difference, other, atol=5e-4 if kind == "float16" else 2e-3)


def test_a_weight_that_all_endpoints_share_keeps_its_layout(tmp_path: Path):
    network, a, b = pair("equal_tensors")
    export([a, b], tmp_path / "model.onnx", alpha_input=True, arch=network, delta="int8")
    prepared = prepare(read_onnx_file(tmp_path / "model.onnx").slim, tmp_path)
    assert prepared.fixed.size >= a["2.weight"].numel() + a["2.bias"].numel()
    stored = set(np.unique(a["2.weight"].half().float().numpy()))
    assert stored <= set(np.unique(prepared.fixed))
    (choice,) = onnx.load_from_string(prepared.body).graph.node
    (network,) = (attribute.g for attribute in choice.attribute if attribute.name == "else_branch")
    assert {node.op_type for node in network.node} <= {
        "Conv", "FusedConv", "Relu", "ReorderInput", "ReorderOutput", "Identity",
    }  # fmt: skip


def test_a_pinned_session_holds_no_blend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """ONNX Runtime keeps a DequantizeLinear for int8 arithmetic, and the blend behind it, unless it is told not to."""
    network, endpoints = small_pair()
    path, optimized = tmp_path / "model.onnx", tmp_path / "optimized.onnx"
    export(endpoints, path, alpha_input=True, arch=network, delta="int8")
    create = onnxruntime.InferenceSession

    def keep(source: Any, options: Any, **rest: Any) -> Any:
        options.optimized_model_filepath = str(optimized)
        return create(source, options, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(onnxruntime, "InferenceSession", keep)
        session = read_onnx_file(path).open_pinned((0.3,), Place("cpu"))
    assert_close(session.run(None, {"input": IMAGE})[0], run(path, IMAGE, 0.3))
    baked = write_baked(path, (0.3,), tmp_path / "baked.onnx")
    assert_close(run(baked, IMAGE), run(path, IMAGE, 0.3))
    for file in (optimized, baked):
        kinds = {node.op_type for node in onnx.load(file).graph.node}
        assert "Conv" in kinds and kinds.isdisjoint({"DequantizeLinear", "Cast", "Mul", "Add"})
    onnx.save(pin(onnx.load(path), 0.3), tmp_path / "pinned.onnx")
    assert_close(run(tmp_path / "pinned.onnx", IMAGE), run(path, IMAGE, 0.3))


def test_external_weights(tmp_path: Path):
    network, a, b = pair("unet")
    path = tmp_path / "model.onnx"
    export([a, b], path, alpha_input=True, arch=network, delta="int8", weights="external", atol=2e-2)
    with load(path, "cpu", alpha_policy="dynamic") as model:
        assert isinstance(model._runner, LaidOut), model.alpha_note
        for alpha in ALPHAS:
            assert_close(model(IMAGE, alpha), run(path, IMAGE, alpha))


def test_half_precision_falls_back(tmp_path: Path):
    network, endpoints = small_pair()
    path = tmp_path / "model.onnx"
    export(endpoints, path, alpha_input=True, arch=network, dtype="float16", delta="int8")
    with load(path, "cpu", alpha_policy="dynamic") as model:
        assert model.alpha_note.endswith("(weights are of type float16, float32 is expected)")
        assert_close(model(IMAGE, 0.3), run(path, IMAGE, 0.3), 2e-2)


# --- files of other tools ---


def quantised(
    values: np.ndarray, scale: np.ndarray, zero_point: np.ndarray | None = None, **attributes: int
) -> tuple[GraphBuilder, str]:
    """A graph whose gain [1, 16, 1, 1] is B + alpha * D, D stored in int8 of any kind."""
    graph = GraphBuilder(0, None)
    inputs = [graph.constant("d", values), graph.constant("scale", scale)]
    if zero_point is not None:
        inputs.append(graph.constant("zero", zero_point))
    difference = graph.node("DequantizeLinear", inputs, "difference", **attributes)
    term = graph.node("Mul", ["alpha", difference], "term")
    base = graph.constant("b", np.linspace(0.5, 2, 16, dtype=np.float32).reshape(1, 16, 1, 1))
    gain = graph.node("Add", [term, base], "gain")
    x = graph.node("Mul", [graph.conv("input", "first", 3, 16), gain], "scaled")
    graph.node("Identity", [graph.conv(x, "last", 16, 3)], "output")
    return graph, gain


D = np.linspace(-100, 127, 16).astype(np.int8).reshape(1, 16, 1, 1)
SCALES = np.linspace(0.001, 0.01, 16, dtype=np.float32)


@pytest.mark.parametrize(
    ("scale", "zero_point", "attributes"),
    [
        (SCALES, None, {"axis": 1}),
        (SCALES, np.arange(-8, 8, dtype=np.int8), {"axis": -3}),
        (np.array(0.01, np.float32), np.array(7, np.int8), {}),
    ],
)
def test_a_base_and_a_difference_are_a_blend(
    tmp_path: Path, scale: np.ndarray, zero_point: np.ndarray | None, attributes: dict[str, int]
):
    graph, gain = quantised(D, scale, zero_point, **attributes)
    model = finish(graph, 3, ("N", "H", "W"), METADATA, None)
    halves = split(model)
    assert Recipes(halves).of(gain) == Recipe((("difference", "alpha"), ("b", ONE)))
    zero = 0 if zero_point is None else zero_point.astype(np.float32).reshape(-1, 1, 1)
    np.testing.assert_allclose(
        Stored(halves, tmp_path)["difference"], (D.astype(np.float32) - zero) * scale.reshape(-1, 1, 1), rtol=1e-6
    )
    path = save(model, tmp_path / "model.onnx")
    with load(path, "cpu", alpha_policy="dynamic") as loaded:
        assert loaded.alpha_note == LAID_OUT
        for alpha in ALPHAS:
            assert_close(loaded(IMAGE, alpha), run(path, IMAGE, alpha))


def test_blocks_of_one_scale_each_are_refused(tmp_path: Path):
    node = helper.make_node("DequantizeLinear", ["d", "scale"], ["difference"], axis=0, block_size=2)
    tensors = [
        numpy_helper.from_array(np.ones((4, 3), np.int8), "d"),
        numpy_helper.from_array(np.ones((2, 3), np.float32), "scale"),
        numpy_helper.from_array(np.ones((4, 3), np.float32), "b"),
    ]
    nodes = [
        node,
        helper.make_node("Mul", ["difference", "alpha"], ["term"]),
        helper.make_node("Add", ["term", "b"], ["w"]),
    ]
    nodes += [helper.make_node("MatMul", ["input", "w"], ["output"])]
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, "H", 4]),
        helper.make_tensor_value_info("alpha", TensorProto.FLOAT, [1]),
    ]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "blocks", inputs, [output], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    with pytest.raises(CannotPrepareError, match="weights are stored in blocks, each with a scale"):
        prepare(model, tmp_path)
