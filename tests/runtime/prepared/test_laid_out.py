"""The laid-out runner computes what the plain graph and PyTorch compute; networks that are nasty on purpose do, too."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exporting import assert_close, blended, expected, nasty_model, run, small_pair
from laid_out_models import ALPHAS, IMAGE, LAID_OUT, assert_laid_out
from networks import NETWORKS, Weights, conv, pair
from onnx_models import METADATA, GraphBuilder, conv_stack, finish, noise, save
from torch import Tensor, nn

from dni_exporters import export
from dni_runtime import load
from dni_runtime.prepared.laid_out import LaidOut


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_nasty_networks(name: str, tmp_path_factory: pytest.TempPathFactory):
    path = nasty_model(tmp_path_factory.getbasetemp(), name)
    network, a, b = pair(name)
    with load(path, "cpu", alpha_policy="dynamic") as model:
        assert model.alpha_note == LAID_OUT
        assert isinstance(model._runner, LaidOut)
        for alpha in ALPHAS:
            got = model(IMAGE, alpha)
            assert_close(got, run(path, IMAGE, alpha))
            assert_close(got, expected(network, blended(a, b, alpha), IMAGE))


# --- what an export may ask for ---


def test_three_endpoints(tmp_path: Path):
    network, endpoints = small_pair(3)
    path = tmp_path / "model.onnx"
    export(endpoints, path, alpha_input=True, arch=network)
    assert_laid_out(path, alphas=((0.2, 0.5), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.31, 0.07)))
    with load(path, "cpu") as model:
        shares = (0.2, 0.5, 0.3)
        weights = {k: sum(s * e[k] for s, e in zip(shares, endpoints, strict=True)) for k in endpoints[0]}
        assert_close(model(IMAGE, (0.2, 0.5)), expected(network, weights, IMAGE))


@pytest.mark.parametrize(
    "options",
    [
        {"alpha_default": 0.3},
        {"alpha_range": (-0.5, 1.5)},
        {"weights": "external"},
        {"static": True, "input_shape": (2, 3, 28, 12)},
        {"opset": 20},
    ],
    ids=lambda options: next(iter(options)),
)
def test_options_of_the_export(options: dict[str, Any], tmp_path: Path):
    network, endpoints = small_pair()
    export(endpoints, tmp_path / "model.onnx", alpha_input=True, arch=network, **options)
    low, high = options.get("alpha_range", (0.0, 1.0))
    assert_laid_out(tmp_path / "model.onnx", alphas=(*ALPHAS, low, high))
    if "alpha_default" in options:
        with load(tmp_path / "model.onnx", "cpu") as model:
            np.testing.assert_array_equal(model(IMAGE), model(IMAGE, 0.3))


def test_weights_linked_to_the_endpoints_files(tmp_path: Path):
    safetensors = pytest.importorskip("safetensors.torch")
    torch.manual_seed(3)
    network = nn.Sequential(conv(3, 24), nn.ReLU(), conv(24, 3))  # large enough to be linked
    files = []
    for name in "ab":
        files.append(tmp_path / f"{name}.safetensors")
        safetensors.save_file({k: t + 0.1 * torch.randn(t.shape) for k, t in network.state_dict().items()}, files[-1])
    path = tmp_path / "model.onnx"
    export(files, path, alpha_input=True, arch=network, weights="link")
    assert_laid_out(path)


# --- weights of every kind ---


@pytest.mark.parametrize("features", [1, 3, 8, 16, 24, 48])
def test_channels_that_fill_no_block(features: int, tmp_path: Path):
    """ONNX Runtime fills blocks of 8 or 16 channels with zeros."""
    assert_laid_out(save(conv_stack(features=features), tmp_path / "model.onnx"))


@pytest.mark.parametrize("groups", [2, 8, 16, 48])
def test_grouped_and_depthwise(groups: int, tmp_path: Path):
    graph = GraphBuilder(0, None)
    x = graph.conv("input", "first", 3, 48)
    weights = [graph.weight("middle.weight", (48, 48 // groups, 3, 3)), graph.weight("middle.bias", (48,))]
    x = graph.relu(graph.node("Conv", [x, *weights], "middle", pads=[1, 1, 1, 1], group=groups))
    graph.node("Identity", [graph.conv(x, "last", 48, 3)], "output")
    assert_laid_out(save(finish(graph, 3, ("N", "H", "W"), METADATA, None), tmp_path / "model.onnx"))


def test_convolution_times_a_constant(tmp_path: Path):
    """As in ESRGAN's residual blocks: ONNX Runtime moves the factor into the weights."""
    graph = GraphBuilder(0, None)
    skip = graph.conv("input", "first", 3, 16)
    x = graph.conv(graph.relu(skip), "second", 16, 16)
    x = graph.node("Mul", [x, graph.constant("factor", np.array(0.2, np.float32))], "scaled")
    x = graph.node("Add", [skip, x], "residual")
    graph.node("Identity", [graph.conv(x, "last", 16, 3)], "output")
    assert_laid_out(save(finish(graph, 3, ("N", "H", "W"), METADATA, None), tmp_path / "model.onnx"))


def test_a_weight_used_twice(tmp_path: Path):
    """By two convolutions, in one layout, and by a third that wants another."""
    graph = GraphBuilder(0, None)
    shared = [graph.weight("shared.weight", (16, 16, 3, 3)), graph.weight("shared.bias", (16,))]
    x = graph.conv("input", "first", 3, 16)
    for number in range(2):
        x = graph.relu(graph.node("Conv", [x, *shared], f"shared{number}", pads=[1, 1, 1, 1]))
    x = graph.node("ConvTranspose", [x, *shared], "transposed", pads=[1, 1, 1, 1])
    graph.node("Identity", [graph.conv(x, "last", 16, 3)], "output")
    assert_laid_out(save(finish(graph, 3, ("N", "H", "W"), METADATA, None), tmp_path / "model.onnx"))


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1, 1)])
def test_weights_of_a_single_element(shape: tuple[int, ...], tmp_path: Path):
    graph = GraphBuilder(0, None)
    x = graph.node("Mul", [graph.conv("input", "first", 3, 3), graph.weight("strength", shape)], "scaled")
    graph.node("Add", [x, "input"], "output")
    assert_laid_out(save(finish(graph, 3, ("N", "H", "W"), METADATA, None), tmp_path / "model.onnx"))


def test_a_blend_that_is_spread_over_another(tmp_path: Path):
    graph = GraphBuilder(0, None)
    gain = graph.node("Add", [graph.weight("gain", (1, 16, 1, 1)), graph.weight("of.all", (1,))], "sum")
    x = graph.node("Mul", [graph.conv("input", "first", 3, 16), gain], "scaled")
    graph.node("Identity", [graph.conv(x, "last", 16, 3)], "output")
    assert_laid_out(save(finish(graph, 3, ("N", "H", "W"), METADATA, None), tmp_path / "model.onnx"))


def test_many_weights_of_one_size(tmp_path: Path):
    """None is taken for another."""
    graph = GraphBuilder(0, None)
    x = graph.conv("input", "first", 3, 8)
    for number in range(12):
        x = graph.relu(graph.conv(x, f"layer{number}", 8, 8))
    graph.node("Identity", [graph.conv(x, "last", 8, 3)], "output")
    assert_laid_out(save(finish(graph, 3, ("N", "H", "W"), METADATA, None), tmp_path / "model.onnx"))


def test_weights_that_are_equal_in_both_endpoints(tmp_path: Path):
    torch.manual_seed(0)
    network = nn.Sequential(conv(3, 24), nn.PReLU(24), conv(24, 24), nn.GELU(), conv(24, 3))
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.1 if name.startswith("2.") else tensor for name, tensor in a.items()}
    export([a, b], tmp_path / "model.onnx", alpha_input=True, arch=network)
    assert_laid_out(tmp_path / "model.onnx")


def test_matrices(tmp_path: Path):
    """Attention's kind of network: what ONNX Runtime packs when a session starts gains from a pin."""

    class Mixer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = conv(3, 24), conv(24, 3)
            self.norm, self.qkv, self.out = nn.LayerNorm(24), nn.Linear(24, 72), nn.Linear(24, 24)

        def forward(self, x: Tensor) -> Tensor:
            y = self.first(x)
            t = self.norm(y.flatten(2).transpose(1, 2))
            q, k, v = self.qkv(t).chunk(3, dim=-1)
            t = torch.softmax(q @ k.transpose(1, 2) * 24**-0.5, dim=-1) @ v
            return self.last(y + self.out(t).transpose(1, 2).reshape(y.shape))

    torch.manual_seed(0)
    network = Mixer().eval()
    a: Weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.1 * torch.randn(tensor.shape) for name, tensor in a.items()}
    path = tmp_path / "model.onnx"
    export([a, b], path, alpha_input=True, arch=network, verdict=False)  # each pixel looks at all others
    assert_laid_out(path, noise(1, 3, 8, 12))
    with load(path, "cpu") as model:
        assert model.alpha_note.endswith("; pinned in the background while it holds")


# --- batches and sizes ---


def test_a_fixed_batch(tmp_path: Path):
    assert_laid_out(save(conv_stack(features=24, shape=(2, "H", "W")), tmp_path / "model.onnx"))


def test_images_of_many_sizes_with_one_model(tmp_path: Path):
    path = save(conv_stack(features=24), tmp_path / "model.onnx")
    with load(path, "cpu", alpha_policy="dynamic") as model:
        for shape in ((1, 3, 1, 1), (3, 3, 17, 5), (1, 3, 64, 40), (2, 3, 1, 33)):
            x = noise(*shape)
            assert_close(model(x, 0.31), run(path, x, 0.31))


def test_one_thread_and_two(tmp_path: Path):
    path = save(conv_stack(features=24), tmp_path / "model.onnx")
    for threads in (1, 2):
        with load(path, "cpu", threads=threads, alpha_policy="dynamic") as model:
            assert_close(model(IMAGE, 0.31), run(path, IMAGE, 0.31))
