"""Generators of papers that Deep Network Interpolation is used with, as code: what a user hands over with `--arch`.

Written from their papers and reference code, with small widths; pixels are as in the published code.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class SRResNet(nn.Module):
    """Ledig et al., Photo-Realistic Single Image Super-Resolution (2017): BatchNorm, PReLU, pixel shuffle, 4x."""

    def __init__(self, features: int = 16, blocks: int = 2, norm: bool = True) -> None:
        super().__init__()
        f = features
        self.first = nn.Sequential(nn.Conv2d(3, f, 9, padding=4), nn.PReLU())
        self.body = nn.ModuleList([_residual(f, norm) for _ in range(blocks)])
        self.joined = nn.Sequential(nn.Conv2d(f, f, 3, padding=1), nn.BatchNorm2d(f) if norm else nn.Identity())
        up = [nn.Sequential(nn.Conv2d(f, 4 * f, 3, padding=1), nn.PixelShuffle(2), nn.PReLU()) for _ in range(2)]
        self.last = nn.Sequential(*up, nn.Conv2d(f, 3, 9, padding=4))

    def forward(self, x: Tensor) -> Tensor:
        top = y = self.first(x)
        for block in self.body:
            y = y + block(y)
        out: Tensor = self.last(top + self.joined(y))
        return out


def _residual(f: int, norm: bool) -> nn.Sequential:
    norms = [nn.BatchNorm2d(f) if norm else nn.Identity() for _ in range(2)]
    conv = [nn.Conv2d(f, f, 3, padding=1) for _ in range(2)]
    return nn.Sequential(conv[0], norms[0], nn.PReLU(), conv[1], norms[1])


class DnCNN(nn.Module):
    """Zhang et al., Beyond a Gaussian Denoiser (2017): BatchNorm behind the inner convolutions; predicts the noise."""

    def __init__(self, features: int = 16, layers: int = 5, channels: int = 3) -> None:
        super().__init__()
        body: list[nn.Module] = [nn.Conv2d(channels, features, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(layers - 2):
            body += [nn.Conv2d(features, features, 3, padding=1, bias=False), nn.BatchNorm2d(features), nn.ReLU()]
        self.dncnn = nn.Sequential(*body, nn.Conv2d(features, channels, 3, padding=1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        noise: Tensor = self.dncnn(x)
        return x - noise


class CycleGAN(nn.Module):
    """Zhu et al., Unpaired Image-to-Image Translation (2017): InstanceNorm, reflected borders; pixels in -1..1."""

    def __init__(self, features: int = 8, blocks: int = 2) -> None:
        super().__init__()
        f = features
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, f, 7), nn.InstanceNorm2d(f), nn.ReLU(True)]
        for c in (f, 2 * f):
            layers += [nn.Conv2d(c, 2 * c, 3, 2, padding=1), nn.InstanceNorm2d(2 * c), nn.ReLU(True)]
        layers += [_Reflected(4 * f) for _ in range(blocks)]
        for c in (4 * f, 2 * f):
            up = nn.ConvTranspose2d(c, c // 2, 3, 2, padding=1, output_padding=1)
            layers += [up, nn.InstanceNorm2d(c // 2), nn.ReLU(True)]
        self.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(f, 3, 7), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.model(x)
        return out


class _Reflected(nn.Module):
    def __init__(self, c: int, affine: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for last in (False, True):
            layers += [nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3), nn.InstanceNorm2d(c, affine=affine)]
            layers += [] if last else [nn.ReLU(True)]
        self.block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.block(x)
        return out


class Pix2Pix(nn.Module):
    """Isola et al., Image-to-Image Translation (2017): a U-Net that halves `downs` times; pixels in -1..1."""

    def __init__(self, features: int = 4, downs: int = 8, norm: str = "batch") -> None:
        super().__init__()
        make = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d}[norm]
        widths = [features * min(2**level, 8) for level in range(downs)]
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for level, width in enumerate(widths):
            last = level == downs - 1
            before, inner = (3, width) if level == 0 else (widths[level - 1], width)
            self.down.append(_halve(before, inner, make, first=level == 0, last=last))
            self.up.append(_double(inner if last else 2 * inner, 3 if level == 0 else before, make, first=level == 0))

    def forward(self, x: Tensor) -> Tensor:
        seen = []
        for down in self.down:
            seen.append(x)
            x = down(x)
        for level in reversed(range(len(self.up))):
            x = self.up[level](x)
            x = torch.cat([seen[level], x], 1) if level else x
        return x


def _halve(inputs: int, outputs: int, norm: Callable[[int], nn.Module], *, first: bool, last: bool) -> nn.Sequential:
    layers: list[nn.Module] = [] if first else [nn.LeakyReLU(0.2)]
    layers.append(nn.Conv2d(inputs, outputs, 4, 2, 1))
    return nn.Sequential(*layers, *([] if first or last else [norm(outputs)]))


def _double(inputs: int, outputs: int, norm: Callable[[int], nn.Module], *, first: bool) -> nn.Sequential:
    up = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1)
    return nn.Sequential(nn.ReLU(), up, nn.Tanh() if first else norm(outputs))


class Johnson(nn.Module):
    """Johnson et al., Perceptual Losses (2016), as in pytorch/examples fast_neural_style: pixels in 0..255."""

    def __init__(self, features: int = 8, blocks: int = 2) -> None:
        super().__init__()
        f = features
        self.down = nn.Sequential(*_conv(3, f, 9, 1), *_conv(f, 2 * f, 3, 2), *_conv(2 * f, 4 * f, 3, 2))
        self.body = nn.Sequential(*(_Reflected(4 * f, affine=True) for _ in range(blocks)))
        up = [nn.Sequential(nn.Upsample(scale_factor=2), *_conv(c, c // 2, 3, 1)) for c in (4 * f, 2 * f)]
        self.up = nn.Sequential(*up, *_conv(f, 3, 9, 1)[:2])

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.up(self.body(self.down(x)))
        return out


def _conv(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
    pad, conv = nn.ReflectionPad2d(kernel // 2), nn.Conv2d(inputs, outputs, kernel, stride)
    return [pad, conv, nn.InstanceNorm2d(outputs, affine=True), nn.ReLU()]
