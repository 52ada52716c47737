"""waifu2x's network that takes noise away and enlarges nothing: of Real-CUGAN's two halves, which spandrel has.

As its author's ncnn files have it (nagadomi's waifu2x, models/cunet); H and W from 32 pixels on.
"""

import torch
from spandrel.architectures.RealCUGAN.__arch.upcunet_v3 import UNet1, UNet2
from torch import nn
from torch.nn import functional

MULTIPLE = 4
PADDING_PX = 28


class Cunet1x(nn.Module):
    """An image (N, 3, H, W) in 0..1, and one like it."""

    def __init__(self) -> None:
        super().__init__()
        self.unet1, self.unet2 = UNet1(3, 3, deconv=False), UNet2(3, 3, deconv=False)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        height, width = image.shape[2:]
        more = (PADDING_PX + -width % MULTIPLE, PADDING_PX + -height % MULTIPLE)
        first = self.unet1(functional.pad(image, (PADDING_PX, more[0], PADDING_PX, more[1]), "reflect"))
        cleaned: torch.Tensor = self.unet2(first) + functional.pad(first, (-20, -20, -20, -20))
        return cleaned[:, :, :height, :width]
