"""waifu2x's network for photographs, as its author's ncnn files have it: a network that spandrel does not know."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional


class UpConv7(nn.Module):
    """An image (N, 3, H, W) in 0..1 at twice its size; H and W from 8 pixels on."""

    def __init__(self) -> None:
        super().__init__()
        channels = (3, 16, 32, 64, 128, 128, 256)
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3) for i, o in pairwise(channels))
        self.enlarge = nn.ConvTranspose2d(channels[-1], 3, kernel_size=4, stride=2, padding=3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        image = functional.pad(image, (7, 7, 7, 7), mode="reflect")
        for convolution in self.convolutions:
            image = functional.leaky_relu(convolution(image), 0.1)
        enlarged: torch.Tensor = self.enlarge(image)
        return enlarged
