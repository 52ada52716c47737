"""Networks that are hard to convert for ncnn, and one that cannot be."""

import torch
from networks import conv
from torch import nn
from torch.nn import functional


class PadsToEven(nn.Module):
    """As Real-CUGAN does: a reflection up to even sizes, cut off again at the end; gates of means, up by two."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.gate, self.up = conv(3, 8, padding=0), conv(8, 8, 1, padding=0), nn.ConvTranspose2d(8, 3, 2, 2)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[2:]
        more = (1, 1 + width % 2, 1, 1 + height % 2)
        y = functional.leaky_relu(self.norm(self.first(functional.pad(x, more, "reflect"))), 0.1)
        y = y * torch.sigmoid(self.gate(y.mean((2, 3), keepdim=True)))
        return self.up(y)[:, :, : 2 * height, : 2 * width] + functional.interpolate(x, scale_factor=2, mode="nearest")


class Attends(nn.Module):
    """All pixels with all: its tables are of one size of image."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = conv(3, 8), conv(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        flat = y.flatten(2)
        mixed = flat @ torch.softmax(flat.transpose(1, 2) @ flat, -1)
        return self.last(mixed.reshape(y.shape))


def pads_to_even() -> tuple[nn.Module, dict, dict]:
    torch.manual_seed(5)
    network = PadsToEven().eval()
    network.norm.running_mean.uniform_(-0.3, 0.3)
    network.norm.running_var.uniform_(0.5, 2.0)
    first = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    second = {k: v * 1.2 + 0.02 if v.is_floating_point() else v for k, v in first.items()}
    return network, first, second
