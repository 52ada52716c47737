"""Tiny networks whose straight line is dark: the pictures of both run through channels that the other does not use."""

from pathlib import Path

import torch
from networks import Weights
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from dni_exporters.verdict.photographs import built_in

COLOURS = 3


class TwoLayers(nn.Module):
    """Two convolutions, with a BatchNorm between them where `norm`; pictures `scale` times as large."""

    def __init__(self, channels: int = 9, norm: bool = False, scale: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(COLOURS, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels) if norm else nn.Identity()
        self.last = nn.Conv2d(channels, COLOURS, 3, padding=1)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        y = self.last(torch.relu(self.norm(self.first(x))))
        return functional.interpolate(y, scale_factor=float(self.scale)) if self.scale > 1 else y


def through(start: int, *, contrast: float = 1.0, seed: int = 0, **options: object) -> tuple[nn.Module, Weights]:
    """A network that shows its image with another contrast, through the channels from `start` on; its weights."""
    torch.manual_seed(seed)
    network = TwoLayers(**options).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for layer in (network.first, network.last):
            layer.weight.mul_(0.02)
            layer.bias.zero_()
        for colour in range(COLOURS):
            network.first.weight[start + colour, colour, 1, 1] = 1
            network.last.weight[colour, start + colour, 1, 1] = contrast
            network.last.bias[colour] = (1 - contrast) / 2
    return network, {name: tensor.clone() for name, tensor in network.state_dict().items()}


def photographs(folder: Path) -> Path:
    """The photographs that the verdict has built in, as files."""
    folder.mkdir(parents=True, exist_ok=True)
    for photograph in built_in():
        Image.fromarray(photograph.pixels).save(folder / f"{photograph.name}.png")
    return folder
