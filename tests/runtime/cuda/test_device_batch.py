"""Weights that are the same expression are computed at once: as many kernels for many layers as for few, and right."""

from pathlib import Path

import numpy as np
import pytest
import torch
from device_plans import blended, on_cpu, read
from exporting import assert_close, photo, run
from networks import conv
from torch import nn

from dni_exporters import export
from dni_runtime.cuda.device_plan.plan import plan_device

IMAGE = photo(1, 3, 12, 16)


def norm_stack(channels: list[int], *, transposed: bool = False) -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs in zip([3, *channels], channels, strict=False):
        layers += [conv(inputs, outputs, bias=len(layers) % 2 == 0), nn.BatchNorm2d(outputs), nn.ReLU()]
    if transposed:
        layers += [nn.ConvTranspose2d(channels[-1], channels[-1], 2, 2), nn.BatchNorm2d(channels[-1])]
    return nn.Sequential(*layers, conv(channels[-1], 3)).eval()


def write(folder: Path, network: nn.Module, *, count: int = 2, dtype: str = "float32") -> Path:
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    first = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    others = [
        {k: t + 0.05 * torch.rand(t.shape) if t.is_floating_point() else t for k, t in first.items()}
        for _ in range(count - 1)
    ]
    path = folder / "model.onnx"
    export([first, *others], path, alpha_input=True, arch=network, dtype=dtype)
    return path


def head_nodes(path: Path, *, nhwc: bool = False) -> int:
    file = read(path)
    return len(plan_device(file.slim, file.path.parent, nhwc=nhwc).head.graph.node)


@pytest.mark.parametrize(("dtype", "most"), [("float32", 60), ("float16", 70)])
def test_more_layers_are_no_more_kernels(tmp_path: Path, dtype: str, most: int):
    counts = []
    for number, channels in enumerate(([8] * 4, [8, 24, 5, 130, 8, 3, 16, 16])):
        (tmp_path / str(number)).mkdir()
        path = write(tmp_path / str(number), norm_stack(channels), dtype=dtype)
        counts.append(head_nodes(path))
        runner = on_cpu(path, half=dtype == "float16")
        for alpha in (0.3, 0.8, 0.3, 0.0, 1.0):
            assert_close(runner.run(IMAGE, (alpha,)), run(path, IMAGE, alpha), 1e-5 if dtype == "float32" else 2e-2)
    assert counts[0] == counts[1] < most


@pytest.mark.usefixtures("nhwc_on_cpu")
def test_they_are_channels_last_where_the_body_wants_it(tmp_path: Path):
    path = write(tmp_path, norm_stack([8, 24, 5]))
    runner = on_cpu(path, nhwc=True)
    for alpha in (0.3, 0.8, 0.3):
        assert_close(runner.run(IMAGE, (alpha,)), run(path, IMAGE, alpha))


def test_of_several_endpoints_and_of_transposed_convolutions(tmp_path: Path):
    path = write(tmp_path, norm_stack([8, 6], transposed=True), count=3)
    runner = on_cpu(path)
    for alpha in ((0.2, 0.3), (0.0, 1.0), (0.6, 0.1)):
        assert_close(runner.run(IMAGE, alpha), run(path, IMAGE, alpha))


class Scaled(nn.Module):
    """A residual block whose scale ONNX Runtime would fold into the convolution and its BatchNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.body = norm_stack([8, 8])
        self.first, self.norm = conv(3, 3), nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) * 0.2 + self.norm(self.first(x)) * 0.2 + x


def test_scales_that_are_folded_reach_them(tmp_path: Path):
    path = write(tmp_path, Scaled().eval())
    file = read(path)
    plan = plan_device(file.slim, file.path.parent, nhwc=False)
    assert not [node for node in plan.body.graph.node if node.op_type == "Mul"]
    runner = on_cpu(path)
    for alpha in (0.3, 0.8, 0.3):
        assert_close(runner.run(IMAGE, (alpha,)), run(path, IMAGE, alpha))


def test_a_layer_that_is_equal_in_all_endpoints_is_one_of_the_others(tmp_path: Path):
    """Its statistics are constants, not blends: another expression, or no expression at all."""
    network = norm_stack([8, 8, 8])
    torch.manual_seed(2)
    first = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    second = {k: t if k.startswith("4.") or not t.is_floating_point() else t + 0.1 for k, t in first.items()}
    path = tmp_path / "model.onnx"
    export([first, second], path, alpha_input=True, arch=network)
    file = read(path)
    plan = plan_device(file.slim, file.path.parent, nhwc=False)
    for alpha in (0.0, 0.3):
        for name, values in blended(file, plan, alpha).items():
            assert np.isfinite(values).all(), name
    runner = on_cpu(path)
    for alpha in (0.3, 0.8):
        assert_close(runner.run(IMAGE, (alpha,)), run(path, IMAGE, alpha))
