"""The four networks, and two related endpoints of each.

Weights are random, as speed does not depend on them: PyTorch's initialisation, BatchNorm with statistics as
training leaves them, and for B each of A's tensors with a tenth of its spread added as noise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact
from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet
from torch import Tensor, nn

import dni_deploy

_B_NOISE = 0.1


class DnCNN(nn.Module):
    """17 convolutions of 64 channels, BatchNorm behind the inner ones (Zhang et al., 2017); predicts the noise."""

    def __init__(self, channels: int = 64, layers: int = 17) -> None:
        super().__init__()
        body: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1), nn.ReLU()]
        for _ in range(layers - 2):
            body += [nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
        self.body = nn.Sequential(*body, nn.Conv2d(channels, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        noise: Tensor = self.body(x)
        return x - noise


class UNet(nn.Module):
    """Three levels of 32, 64 and 128 channels, affine InstanceNorm, transposed convolutions on the way up."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        c = channels
        self.down = nn.ModuleList([_block(3, c), _block(c, 2 * c), _block(2 * c, 4 * c)])
        self.enlarge = nn.ModuleList([nn.ConvTranspose2d(4 * c, 2 * c, 2, 2), nn.ConvTranspose2d(2 * c, c, 2, 2)])
        self.up = nn.ModuleList([_block(4 * c, 2 * c), _block(2 * c, c)])
        self.pool, self.last = nn.MaxPool2d(2), nn.Conv2d(c, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        top = self.down[0](x)
        middle = self.down[1](self.pool(top))
        y = self.enlarge[0](self.down[2](self.pool(middle)))
        y = self.enlarge[1](self.up[0](torch.cat([y, middle], 1)))
        change: Tensor = self.last(self.up[1](torch.cat([y, top], 1)))
        return x + change


def _block(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.InstanceNorm2d(outputs, affine=True)]
        layers.append(nn.LeakyReLU(0.2))
    return nn.Sequential(*layers)


def _compact() -> nn.Module:
    return SRVGGNetCompact(num_in_ch=3, num_out_ch=3, num_feat=64, num_conv=32, upscale=4)


def _rrdbnet() -> nn.Module:
    return RRDBNet(in_nc=3, out_nc=3, num_filters=64, num_blocks=23, scale=4)


def tiny() -> nn.Module:
    """So little to compute that a call's own cost shows."""
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1))


@dataclass(frozen=True, slots=True)
class Network:
    """How to build one, and the heights (and widths) of its images; the first one is measured in full."""

    build: Callable[[], nn.Module]
    sizes: tuple[int, ...]


NETWORKS = {
    "Compact": Network(_compact, (64, 128)),
    "DnCNN": Network(DnCNN, (64, 128)),
    "U-Net": Network(UNet, (64, 128)),
    # 15 times Compact's work for a pixel: with larger images the run would take an hour.
    "RRDBNet-23": Network(_rrdbnet, (32, 64)),
}


@dataclass(frozen=True, slots=True)
class Files:
    """What a network's approaches run: two checkpoints and the alpha-input file made from them."""

    a: Path
    b: Path
    model: Path


def write_files(build: Callable[[], nn.Module], folder: Path) -> Files:
    """Make the endpoints and export them, verified against PyTorch."""
    files = Files(*write_endpoints(build, folder), folder / "model.onnx")
    dni_deploy.export([files.a, files.b], files.model, alpha_input=True, arch=build().eval())
    return files


def write_endpoints(build: Callable[[], nn.Module], folder: Path) -> tuple[Path, Path]:
    """Two related checkpoints, A.pth and B.pth, in a new folder."""
    folder.mkdir()
    a, b = folder / "A.pth", folder / "B.pth"
    torch.manual_seed(0)
    network = build().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            _as_trained(module)
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    torch.save(weights, a)
    torch.save({name: related(name, tensor) for name, tensor in weights.items()}, b)
    return a, b


def _as_trained(norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None and norm.running_var is not None
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.normal_(norm.bias, 0, 0.1)
    norm.running_mean.normal_(0, 0.1)
    norm.running_var.uniform_(0.5, 1.5)


def related(name: str, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    b = tensor + _B_NOISE * tensor.std(correction=0) * torch.randn_like(tensor)
    return b.abs() if name.endswith("running_var") else b
