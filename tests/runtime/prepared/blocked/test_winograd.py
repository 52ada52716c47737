"""Wide 3 x 3 convolutions computed Winograd's way are PyTorch's, for whatever sizes, and others stay as they are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from exporting import assert_close, blended, expected
from onnx import TensorProto, helper
from optimized_graphs import computed, optimized
from torch import nn

from dni_exporters import export
from dni_runtime import load
from dni_runtime.opening import ways
from dni_runtime.prepared.blocked import tiling
from dni_runtime.prepared.blocked.layout import channel_block
from dni_runtime.prepared.blocked.winograd import with_winograd

WIDE = 128
ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "": lambda y: y,
    "Relu": nn.functional.relu,
    "LeakyRelu": lambda y: nn.functional.leaky_relu(y, 0.01),
    "Sigmoid": torch.sigmoid,
}


def convolution(
    activation: str = "", *, inputs: int = WIDE, outputs: int = WIDE, bias: bool = True, **attributes: Any
) -> tuple[bytes, torch.Tensor, torch.Tensor | None]:
    """A model of one convolution as ONNX Runtime has optimized it, its weights, and its bias."""
    generator = torch.Generator().manual_seed(inputs + outputs)
    width = inputs // attributes.get("group", 1)
    w = torch.randn((outputs, width, 3, 3), generator=generator) / (9 * width) ** 0.5
    b = torch.randn(outputs, generator=generator) if bias else None
    given = [("w", w)] + ([("b", b)] if b is not None else [])
    nodes = [helper.make_node("Conv", ["x", *(name for name, _ in given)], ["y"], kernel_shape=[3, 3], **attributes)]
    if activation:
        nodes[0].output[0] = "before"
        nodes.append(helper.make_node(activation, ["before"], ["y"]))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", None, "H", "W"]) for name in "xy"]
    ends[0].type.tensor_type.shape.dim[1].dim_value = inputs
    tensors = [onnx.numpy_helper.from_array(value.numpy(), name) for name, value in given if value is not None]
    model = helper.make_model(helper.make_graph(nodes, "one", ends[:1], ends[1:], tensors))
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", 20))
    model.ir_version = 10
    return model.SerializeToString(), w, b


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 1, 1, 1), (0, 3, 2, 1)])
@pytest.mark.parametrize("strip_bytes", [1, 400_000, 10**9], ids=lambda size: f"strips of {size}")
def test_as_pytorch(
    activation: str, pads: tuple[int, ...], strip_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Images of one tile, of parts of tiles, several of them; all of it in one strip, and a row of tiles in each."""
    monkeypatch.setattr(tiling, "_STRIP_BYTES", strip_bytes)
    model, w, b = convolution(activation, pads=pads, bias=activation != "Relu")
    body = optimized(model, tmp_path)
    changed = with_winograd(body, small=True)
    assert changed != body
    top, left, bottom, right = pads
    for shape in ((1, WIDE, 3, 3), (1, WIDE, 6, 6), (2, WIDE, 13, 9), (1, WIDE, 8, 31), (3, WIDE, 21, 7)):
        x = image(*shape)
        padded = nn.functional.pad(torch.from_numpy(x), (left, right, top, bottom))
        y = ACTIVATIONS[activation](nn.functional.conv2d(padded.double(), w.double(), b if b is None else b.double()))
        got = computed(changed, x)
        assert got.shape == tuple(y.shape)
        assert_close(got, y.numpy())


@pytest.mark.parametrize(("inputs", "outputs"), [(64, 256), (320, 64), (2048, 16)])
def test_other_numbers_of_channels(inputs: int, outputs: int, tmp_path: Path):
    model, w, b = convolution(inputs=inputs, outputs=outputs)
    x = image(1, inputs, 11, 14)
    y = nn.functional.conv2d(torch.from_numpy(x).double(), w.double(), b.double())
    got = computed(with_winograd(optimized(model, tmp_path), small=True), x)
    assert_close(got, y.numpy())


def test_a_small_image_is_computed_as_before_and_a_large_one_is_not(tmp_path: Path):
    body = optimized(convolution()[0], tmp_path)
    changed = with_winograd(body)
    small, large = image(1, WIDE, 24, 24), image(1, WIDE, 70, 70)
    np.testing.assert_array_equal(computed(changed, small), computed(body, small))
    before, after = computed(body, large), computed(changed, large)
    assert (before != after).any()
    assert_close(after, before)


@pytest.mark.parametrize(
    "attributes",
    [{"strides": [2, 2]}, {"dilations": [2, 2]}, {"group": 2}, {"inputs": 64, "outputs": 64}],
    ids=str,
)
def test_others_stay_as_they_are(attributes: dict[str, Any], tmp_path: Path):
    body = optimized(convolution(**attributes)[0], tmp_path)
    assert with_winograd(body, small=True) == body


def test_models_that_nobody_optimized_stay_as_they_are():
    model, *_ = convolution()
    assert with_winograd(model, small=True) == model


def test_a_block_of_channels():
    assert channel_block() in (8, 16)  # of the widest vector registers


# --- models ---


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.wide = nn.Sequential(
            nn.Conv2d(16, WIDE, 3),
            nn.LeakyReLU(0.1),
            nn.Conv2d(WIDE, WIDE, 3, padding=1),
            nn.BatchNorm2d(WIDE),
            nn.ReLU(),
        )
        self.last = nn.Conv2d(WIDE, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(nn.functional.pad(x, (1, 1, 1, 1), mode="reflect"))
        y: torch.Tensor = self.last(self.wide(y))
        return y


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, list[dict[str, torch.Tensor]], Path]:
    torch.manual_seed(5)
    network = Network().eval()
    ends = []
    for _ in range(2):
        state = {
            k: v + 0.02 * torch.randn(v.shape) if v.is_floating_point() else v for k, v in network.state_dict().items()
        }
        ends.append({k: v.abs() + 0.5 if k.endswith("var") else v for k, v in state.items()})
    path = tmp_path_factory.mktemp("wide") / "model.onnx"
    export(ends, path, alpha_input=True, arch=network)
    return network, ends, path


def test_a_model_with_alpha(pair: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Small and large images, alphas that move and hold, from the file and from the cache."""
    network, (a, b), path = pair
    monkeypatch.setenv("DNI_CACHE_DIR", str(tmp_path / "cache"))
    for _ in range(2):
        with load(path, "cpu") as model:
            assert "optimizes it" not in model.alpha_note
            for size in (20, 72):
                x = np.random.default_rng(size).random((1, 3, size, size + 1), np.float32)
                for alpha in (0.3, 1.0, 0.3):
                    assert_close(model(x, alpha), expected(network, blended(a, b, alpha), x))


def test_one_that_gives_other_answers_is_not_used(pair: Any, monkeypatch: pytest.MonkeyPatch):
    network, (a, b), path = pair
    monkeypatch.setenv("DNI_CACHE_DIR", "")

    def wrong(body: bytes, *, small: bool = False) -> bytes:
        model = onnx.load_from_string(with_winograd(body, small=small))
        for tensor in model.graph.initializer:
            if tensor.name.startswith("winograd@") and tensor.data_type == TensorProto.FLOAT:
                tensor.CopyFrom(onnx.numpy_helper.from_array(1.01 * onnx.numpy_helper.to_array(tensor), tensor.name))
        return model.SerializeToString()

    monkeypatch.setattr(ways, "with_winograd", wrong)
    with load(path, "cpu") as model:
        assert "its graph as ONNX Runtime optimizes it: " in model.alpha_note
        x = np.random.default_rng(1).random((1, 3, 72, 72), np.float32)
        assert_close(model(x, 0.6), expected(network, blended(a, b, 0.6), x))


class Saturating(nn.Module):
    """Where sums of large values are near 0, little errors of theirs become large ones of the result."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, WIDE, 3, padding=1), nn.Conv2d(WIDE, 3, 1)
        self.wide = nn.ModuleList(nn.Conv2d(WIDE, WIDE, 3, padding=1) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = 300 * self.first(x)
        for layer in self.wide:
            y = torch.tanh(layer(y))
        z: torch.Tensor = self.last(y)
        return z


def test_one_whose_error_would_grow_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("DNI_CACHE_DIR", "")
    torch.manual_seed(2)
    network = Saturating().eval()
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    spread = {name: 0.1 if len(shape) == 1 else shape[1:].numel() ** -0.5 for name, shape in shapes.items()}
    ends = [{name: torch.randn(shape) * spread[name] for name, shape in shapes.items()} for _ in range(2)]
    export(ends, tmp_path / "model.onnx", alpha_input=True, arch=network)
    with load(tmp_path / "model.onnx", "cpu") as model:
        assert "optimizes it: its results are off by" in model.alpha_note
        assert b"winograd" not in model._runner._body._graph
