"""Networks that rewrite their own weights when they run."""

from pathlib import Path

import pytest
import torch
from exporting import assert_close, blended, expected, photo, run
from networks import conv, randomise
from torch import Tensor, nn

from dni_exporters import export
from dni_exporters.tracing.unfuse import unfuse
from dni_runtime import ExportError

SHAPE = (2, 3, 16, 17)


class Fusing(nn.Module):
    """A 3x3 convolution and a 1x1 shortcut, multiplied into one convolution before every inference."""

    def __init__(self, fault: float = 0.0) -> None:
        super().__init__()
        self.wide, self.short, self.fused = conv(3, 3), conv(3, 3, 1), conv(3, 3)
        self.fault = fault

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return self.wide(x) + self.short(x)
        weight = self.wide.weight.data.clone()
        weight[:, :, 1:2, 1:2] += self.short.weight.data
        self.fused.weight.data = weight + self.fault
        self.fused.bias.data = self.wide.bias.data + self.short.bias.data
        return self.fused(x)


class Network(nn.Module):
    def __init__(self, fault: float = 0.0) -> None:
        super().__init__()
        self.first, self.block, self.dropout = conv(3, 3), Fusing(fault), nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.block(torch.relu(self.first(x))))


def test_it_is_exported_unfused_and_computes_the_same(tmp_path: Path):
    network, generator = Network().eval(), torch.Generator().manual_seed(3)
    states = []
    for _ in "AB":
        with torch.no_grad():
            randomise(network, generator)
        states.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
    path = tmp_path / "model.onnx"
    report = export(states, path, alpha_input=True, arch=network)
    assert any("1 blocks that fuse" in note for note in report.notes)
    image = photo(1, 3, 20, 12)
    for alpha in (0.0, 0.4, 1.0):
        assert_close(run(path, image, alpha), expected(network, blended(*states, alpha), image))


def test_only_the_block_itself_leaves_evaluation_mode():
    network = Network().eval()
    assert unfuse(network, SHAPE)
    training = [name for name, module in network.named_modules() if module.training]
    assert training == ["block"]


def test_a_network_that_leaves_its_weights_alone_is_not_touched():
    network = nn.Sequential(conv(3, 8), nn.BatchNorm2d(8), nn.PReLU(8)).eval()
    assert unfuse(network, SHAPE) == []
    assert not any(module.training for module in network.modules())


def test_a_training_form_that_computes_something_else_is_refused():
    with pytest.raises(ExportError, match="rewrites its own weights when it runs"):
        unfuse(Network(fault=0.1).eval(), SHAPE)


class Clamped(nn.Module):
    """Keeps its weights in bounds whenever it runs, by writing into them."""

    def __init__(self) -> None:
        super().__init__()
        self.body = conv(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        self.body.weight.data.clamp_(-10, 10)
        return self.body(x)


def test_weights_that_are_written_into_are_refused_before_the_trace_that_would_crash():
    with pytest.raises(ExportError, match=r"rewrites its own weights when it runs \(body.weight"):
        unfuse(Clamped().eval(), SHAPE)
