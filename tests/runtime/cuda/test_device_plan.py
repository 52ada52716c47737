"""How a device holds the weights: one buffer, few kernels, every weight once and where the body looks for it."""

import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from device_plans import blended, read
from exporting import nasty_model, photo, run
from networks import NETWORKS
from onnx_models import GraphBuilder, conv_stack, finish, save, tinted

from dni_runtime.cuda.device_plan.buffer import KINDS
from dni_runtime.cuda.device_plan.plan import plan_device
from dni_runtime.providers.sessions import Place
from dni_runtime.weights.split import CannotPrepareError

IMAGE = photo(1, 3, 12, 16)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_body_with_the_heads_weights_is_the_network(name: str, tmp_path_factory: pytest.TempPathFactory):
    path = nasty_model(tmp_path_factory.getbasetemp(), name)
    file = read(path)
    plan = plan_device(file.slim, file.path.parent, nhwc=False)
    body = file.open_part(plan.body.SerializeToString(), Place("cpu"))
    for alpha in (0.0, 0.3, 1.0):
        (y,) = body.run(["output"], {"input": IMAGE, **blended(file, plan, alpha)})
        np.testing.assert_allclose(y, run(path, IMAGE, alpha), rtol=0, atol=1e-5)


def test_weights_lie_apart_and_where_a_gpu_reads_them_fast(tmp_path: Path):
    file = read(save(conv_stack(), tmp_path / "model.onnx"))
    plan = plan_device(file.slim, tmp_path, nhwc=True)
    parts = sorted(plan.weights, key=lambda part: part.start)
    ends = [part.start + int(np.prod(part.shape)) * KINDS[part.kind].itemsize for part in parts]
    assert all(part.start % 256 == 0 for part in parts)
    assert all(end <= part.start for end, part in zip(ends, parts[1:], strict=False))
    assert ends[-1] <= plan.total_bytes


def test_blends_are_one_product_however_many_weights_there_are(tmp_path: Path):
    file = read(save(conv_stack(), tmp_path / "model.onnx"))
    plan = plan_device(file.slim, tmp_path, nhwc=False)
    assert len(plan.weights) == 4
    assert len(plan.made) == 1
    assert [node.op_type for node in plan.head.graph.node].count("MatMul") == 1


def test_both_ends_are_exact(tmp_path: Path):
    file = read(save(conv_stack(), tmp_path / "model.onnx"))
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(file.path).graph.initializer}
    plan = plan_device(file.slim, tmp_path, nhwc=False)
    for alpha, letter in ((1.0, "A"), (0.0, "B")):
        for name, values in blended(file, plan, alpha).items():
            np.testing.assert_array_equal(values, stored[f"{name}.{letter}"])


def test_a_large_network_is_planned_in_little_time(tmp_path: Path):
    """702 weights, as many as those of the usual ESRGAN: no step may go through all of them for each."""
    graph = GraphBuilder(0, None)
    x = graph.conv("input", "first", 3, 8)
    for number in range(349):
        x = graph.relu(graph.conv(x, f"conv{number}", 8, 8))
    graph.node("Identity", [graph.conv(x, "last", 8, 3)], "output")
    file = read(save(finish(graph, 3, ("N", "H", "W"), None, None), tmp_path / "model.onnx"))
    started = time.process_time()
    plan = plan_device(file.slim, tmp_path, nhwc=True)
    assert time.process_time() - started < 10  # 0.5 s here; 40 s when one did
    assert len(plan.weights) == 702


def test_what_cannot_be_planned_is_said(tmp_path: Path):
    file = read(save(tinted(), tmp_path / "model.onnx"))
    with pytest.raises(CannotPrepareError, match="alpha does more than blend weights"):
        plan_device(file.slim, tmp_path, nhwc=False)
