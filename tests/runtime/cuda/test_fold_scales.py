"""A constant behind a convolution goes into its weights, and nothing else changes."""

import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from exporting import nodes
from networks import conv
from torch import nn

from dni_exporters import export
from dni_runtime.cuda.device_plan.fold_scales import fold_scales
from dni_runtime.onnx_files.slim import read_slim
from dni_runtime.weights.split import split, subgraph


def parsed(text: str) -> onnx.ModelProto:
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20]> g {text}')
    onnx.checker.check_model(model, full_check=True)
    return model


def assert_folds(text: str, factors: dict[str, float]) -> onnx.ModelProto:
    """The folded model gives the same with weights that are scaled by `factors`."""
    body = parsed(text)
    before = body.SerializeToString(deterministic=True)
    folded, found = fold_scales(body)
    assert body.SerializeToString(deterministic=True) == before
    assert found == pytest.approx(factors)
    onnx.checker.check_model(folded, full_check=True)
    assert list(folded.graph.input) == list(body.graph.input)
    assert list(folded.graph.output) == list(body.graph.output)
    rng = np.random.default_rng(2)
    feed = {
        v.name: np.asarray(rng.normal(size=[d.dim_value or 6 for d in v.type.tensor_type.shape.dim]), np.float32)
        for v in body.graph.input
    }
    scaled = {name: np.asarray(values * np.float32(found.get(name, 1))) for name, values in feed.items()}
    (wanted,), (got,) = run(body, feed), run(folded, scaled)
    assert np.abs(got - wanted).max() <= 1e-6 * np.abs(wanted).max()  # rounded in another order
    return folded


def run(model: onnx.ModelProto, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feed)


def graph(steps: str, constants: str = "float[1] k = {0.2}") -> str:
    return (
        "(float[N,4,H,W] x, float[4,4,3,3] w, float[4] b, float[4,4,1,1] v, float m) => (float[i,j,p,q] y)"
        f"<{constants}> {{ {steps} }}"
    )


FOLDED = {
    "a residual": ("c = Conv <pads = [1,1,1,1]> (x, w, b) s = Mul(c, k) y = Add(s, x)", {"w": 0.2, "b": 0.2}),
    "the output": ("c = Conv(x, v) y = Mul(k, c)", {"v": 0.2}),
    "a transposed convolution": ("c = ConvTranspose(x, w, b) y = Mul(c, k)", {"w": 0.2, "b": 0.2}),
    "one after another": ("c = Conv(x, v) s = Mul(c, k) t = Mul(k, s) y = Relu(t)", {"v": 0.04}),
    "two convolutions": (
        "c = Conv(x, v) s = Mul(c, k) d = Conv(s, w, b) y = Mul(d, k)",
        {"v": 0.2, "w": 0.2, "b": 0.2},
    ),
}


@pytest.mark.parametrize("name", FOLDED)
def test_constants_are_folded(name: str):
    steps, factors = FOLDED[name]
    folded = assert_folds(graph(steps), factors)
    assert not nodes(folded, "Mul")
    assert not folded.graph.initializer


@pytest.mark.parametrize(
    "steps",
    [
        "c = Conv(x, v) s = Mul(c, k) y = Add(s, c)",  # read twice
        "c = Conv(x, v) y = Mul(c, c)",
        "c = Conv(x, v) r = Relu(c) y = Mul(r, k)",
        "c = Conv(x, v) s = Mul(c, k) d = Conv(s, v) y = Relu(d)",  # tied weights
        "c = Conv(x, v, b) s = Mul(c, k) d = Conv <pads = [1,1,1,1]> (s, w, b) y = Relu(d)",  # tied biases
        "u = Identity(v) c = Conv(x, u) y = Mul(c, k)",
        "c = Conv(x, v) y = Mul(c, m)",  # moves
        "c = Conv(x, v) y = Div(c, k)",
        "c = Conv(x, v) y = Mul(x, k)",
    ],
)
def test_what_is_not_folded(steps: str):
    body = parsed(graph(steps))
    assert fold_scales(body)[1] == {}
    assert list(fold_scales(body)[0].graph.node) == list(body.graph.node)


@pytest.mark.parametrize(
    "constants",
    [
        "float[4,1,1] k = {0.2, 0.2, 0.2, 0.2}",
        "float[1] k = {0}",
        "float[1,1,1,1,1] k = {0.2}",  # adds an axis
    ],
)
def test_constants_that_are_not_folded(constants: str):
    text = graph("c = Conv(x, v) y = Mul(c, k)", constants)
    body = parsed(text.replace("[i,j,p,q]", "[o,i,j,p,q]") if "1,1,1,1,1" in text else text)
    assert fold_scales(body)[1] == {}


@pytest.mark.parametrize("factor", [math.inf, -math.inf, math.nan])
def test_numbers_that_no_weight_can_take(factor: float):
    body = parsed(graph("c = Conv(x, v) y = Mul(c, k)"))
    body.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.array([factor], np.float32), "k"))
    assert fold_scales(body)[1] == {}


def test_weights_that_are_constants_stay():
    """ONNX Runtime folds for itself into what does not move; here a weight and its bias go together or not at all."""
    text = graph("c = Conv(x, v, f) y = Mul(c, k)", "float[1] k = {0.2}, float[4] f = {1,2,3,4}")
    assert fold_scales(parsed(text))[1] == {}


def test_outputs_are_not_scaled():
    text = "(float[N,4,H,W] x, float[4,4,1,1] v) => (float[i,j,p,q] c, float[i,j,p,q] y) <float[1] k = {0.2}>"
    assert fold_scales(parsed(f"{text} {{ c = Conv(x, v) y = Mul(c, k) }}"))[1] == {}


@pytest.mark.parametrize(("factor", "folded"), [(0.2, True), (-3.0, True), (0.01, False), (100.0, False)])
def test_half_weights_keep_their_bits(factor: float, folded: bool):
    text = graph("c = Conv(x, v) y = Mul(c, k)", "float[1] k = {0}").replace("float[", "float16[")
    body = parsed(text.replace("float m", "float16 m"))
    constant = np.array([factor], np.float16)
    body.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(constant, "k"))
    assert fold_scales(body)[1] == ({"v": float(constant[0])} if folded else {})


class DenseBlocks(nn.Module):
    """Residuals as RRDBNet has them, a block's scaled by 0.2 and so is the whole of two blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([conv(3, 3), conv(3, 3)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for block in self.blocks:
            y = y + block(y) * 0.2
        return x + y * 0.2


def test_residuals_of_a_network_lose_their_scales(tmp_path: Path):
    torch.manual_seed(0)
    network = DenseBlocks().eval()
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.01 for name, tensor in a.items()}
    export([a, b], tmp_path / "model.onnx", alpha_input=True, arch=network)
    halves = split(read_slim(tmp_path / "model.onnx"))
    shapes, whole = halves.shapes(), halves.model.graph
    weights = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, shapes[n]) for n in halves.weights]
    image = [value for value in whole.input if value.name != "alpha"]
    body = subgraph(halves.model, halves.body, [*image, *weights], whole.output)
    folded, factors = fold_scales(body)
    assert len(nodes(body, "Mul")) == 3
    assert len(nodes(folded, "Mul")) == 1  # reads a sum
    assert factors == {name: pytest.approx(0.2) for name in a}
