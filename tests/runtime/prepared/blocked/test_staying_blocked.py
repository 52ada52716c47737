"""Graphs whose values stay in blocks of channels compute what PyTorch computes, whatever else uses these values."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from exporting import assert_close, blended, expected
from optimized_graphs import computed, optimized
from torch import Tensor, nn
from torch.nn import functional

from dni_exporters import export
from dni_runtime import load, pin
from dni_runtime.prepared.blocked.layout import channel_block
from dni_runtime.prepared.blocked.staying import staying_blocked

CHANNELS = 32
SIZES = ((1, 3, 21, 18), (2, 3, 16, 27))


class Skip(nn.Module):
    """A convolution, `between` on half its size, and a transposed convolution, added to what was cropped."""

    def __init__(self, between: Callable[[Tensor], Tensor], up: nn.Module | None = None) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, CHANNELS, 3, padding=1)
        self.down = nn.Conv2d(CHANNELS, CHANNELS, 2, stride=2)
        self.between = between
        self.up = up or nn.ConvTranspose2d(CHANNELS, CHANNELS, 2, stride=2)
        self.last = nn.Conv2d(CHANNELS, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        skip = functional.leaky_relu(self.first(x), 0.2)
        y = self.up(self.between(functional.pad(self.down(skip), (-1, -1, -1, -1))))
        left, top = (skip.shape[-1] - y.shape[-1]) // 2, (skip.shape[-2] - y.shape[-2]) // 2
        skip = skip[:, :, top : top + y.shape[-2], left : left + y.shape[-1]]
        z: Tensor = self.last(skip - functional.leaky_relu(y, 0.1))
        return z


class Cropped(nn.Module):
    """As in waifu2x's networks, with a mean that scales channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.down = nn.Conv2d(3, CHANNELS, 3), nn.Conv2d(CHANNELS, 2 * CHANNELS, 3)
        self.squeeze, self.excite = nn.Conv2d(2 * CHANNELS, 8, 1), nn.Conv2d(8, 2 * CHANNELS, 1)
        self.up = nn.ConvTranspose2d(2 * CHANNELS, CHANNELS, 2, stride=2, bias=False)
        self.last = nn.Conv2d(CHANNELS, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        skip = functional.leaky_relu(self.first(x), 0.1)
        y = functional.relu(self.down(functional.avg_pool2d(skip, 2)))
        y = y * torch.sigmoid(self.excite(functional.relu(self.squeeze(y.mean((2, 3), keepdim=True)))))
        z = self.up(functional.pad(y, (-1, 0, 0, -1)))
        whole = functional.pad(z, (2, 2, 2, 2)) if z.shape[-1] < 2 else z
        made: Tensor = self.last(functional.relu(whole) + torch.tanh(whole))
        return made


class UsedTwice(nn.Module):
    """Values that are asked for in blocks and in order, before and behind an activation; the result is one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.wide = nn.Conv2d(3, CHANNELS, 3, padding=1), nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.up = nn.ConvTranspose2d(CHANNELS, 16, 2, stride=2)
        self.last = nn.Conv2d(16, 16, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.wide(functional.pad(self.first(x), (-2, 0, -1, -3)))
        z = self.up(y)
        rows = torch.softmax(z, 3) + functional.leaky_relu(z, 0.3)
        mixed: Tensor = self.last(rows + torch.sigmoid(z)) * z
        return mixed


def transposed(**options: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(CHANNELS, options.pop("outputs", CHANNELS), options.pop("kernel", 2), stride=2, **options)


def scaled(x: Tensor) -> Tensor:
    return x * x.mean((-1, -2), keepdim=True) + x.amax((2, 3), keepdim=True)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "cropped": Cropped,
    "used twice": UsedTwice,
    "sum of what was cropped": lambda: Skip(nn.Identity()),
    "means": lambda: Skip(scaled),
    "activation before": lambda: Skip(nn.LeakyReLU(0.3)),
    "two activations behind": lambda: Skip(nn.Identity(), nn.Sequential(transposed(), nn.LeakyReLU(0.3), nn.ReLU())),
    "kernel of 4": lambda: Skip(nn.Identity(), transposed(kernel=4, padding=1)),
    "groups": lambda: Skip(nn.Identity(), transposed(groups=2)),
    "output padding": lambda: Skip(nn.Identity(), transposed(output_padding=1)),
    "no blocks": lambda: Skip(nn.Identity(), nn.Sequential(transposed(outputs=24), nn.Conv2d(24, CHANNELS, 1))),
}


def ends_of(network: nn.Module) -> list[dict[str, Tensor]]:
    return [{k: v + 0.05 * torch.randn(v.shape) for k, v in network.state_dict().items()} for _ in range(2)]


@pytest.mark.parametrize("name", NETWORKS)
def test_as_pytorch(name: str, tmp_path: Path):
    torch.manual_seed(2)
    network = NETWORKS[name]().eval()
    a, b = ends_of(network)
    export([a, b], tmp_path / "model.onnx", alpha_input=True, arch=network)
    body = optimized(pin(onnx.load(tmp_path / "model.onnx"), 0.4).SerializeToString(), tmp_path)
    changed = staying_blocked(body)
    assert changed != body
    for shape in SIZES:
        x = np.random.default_rng(3).random(shape, np.float32)
        assert_close(computed(changed, x), expected(network, blended(a, b, 0.4), x))
    with load(tmp_path / "model.onnx", "cpu") as model:
        assert "optimizes it" not in model.alpha_note
        assert b"blocked0@" in model._runner._body._graph
        for alpha in (0.0, 0.7):
            assert_close(model(x, alpha), expected(network, blended(a, b, alpha), x))


def count(model: bytes, operator: str) -> int:
    return sum(node.op_type == operator for node in onnx.load_from_string(model).graph.node)


def test_between_convolutions_nothing_is_put_in_order(tmp_path: Path):
    network = Skip(nn.Identity()).eval()
    export(ends_of(network), tmp_path / "model.onnx", alpha_input=True, arch=network)
    body = optimized(pin(onnx.load(tmp_path / "model.onnx"), 0.4).SerializeToString(), tmp_path)
    changed = staying_blocked(body)
    operators = ("ConvTranspose", "LeakyRelu", "ReorderInput")
    assert all(count(body, operator) for operator in operators)
    assert [count(changed, operator) for operator in operators] == [0, 0, 0]
    assert count(changed, "ReorderOutput") == 1  # of the result
    assert CHANNELS % channel_block() == 0


def test_nothing_to_do(tmp_path: Path):
    network = nn.Sequential(nn.Conv2d(3, CHANNELS, 3), nn.ReLU(), nn.Conv2d(CHANNELS, 3, 3)).eval()
    export(ends_of(network), tmp_path / "model.onnx", alpha_input=True, arch=network)
    pinned = pin(onnx.load(tmp_path / "model.onnx"), 0.4).SerializeToString()
    assert staying_blocked(pinned) == pinned
    body = optimized(pinned, tmp_path)
    assert staying_blocked(body) == body
