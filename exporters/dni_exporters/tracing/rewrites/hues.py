"""Colours by hue, computed pixel by pixel (HVI-CIDNet)."""

from contextlib import AbstractContextManager
from math import pi
from typing import Any

import torch
from torch import Tensor, nn

from .replacing import replaced

_EPSILON = 1e-8


def hues_without_branches(network: nn.Module) -> AbstractContextManager[None]:
    """Choose each pixel's formula by `where` instead of collecting the pixels of each formula, and keep the parameter k
    a tensor: as a number it would be the first endpoint's for all alphas.

    After spandrel's HVI_transform.py, which follows https://github.com/Fediory/HVI-CIDNet.
    """
    transforms = [module for module in network.modules() if type(module).__name__ == "RGB_HVI"]
    return replaced(
        (transform, name, form.__get__(transform))
        for transform in transforms
        for name, form in (("HVIT", _to_hvi), ("PHVIT", _from_hvi))
    )


def _to_hvi(transform: Any, image: Tensor) -> Tensor:
    """RGB (N, 3, H, W) in 0..1 to horizontal, vertical (the hue's cosine and sine, by saturation) and intensity."""
    red, green, blue = image[:, 0], image[:, 1], image[:, 2]
    value, least = image.amax(1), image.amin(1)
    span = value - least + _EPSILON
    hue = 4.0 + (red - green) / span
    hue = torch.where(green == value, 2.0 + (blue - red) / span, hue)
    hue = torch.where(red == value, ((green - blue) / span) % 6, hue)
    hue = torch.where(least == value, 0.0, hue) / 6.0
    saturation = torch.where(value == 0, 0.0, (value - least) / (value + _EPSILON))
    strength = ((value * 0.5 * pi).sin() + _EPSILON).pow(transform.density_k) * saturation
    angle = 2.0 * pi * hue
    return torch.stack([strength * angle.cos(), strength * angle.sin(), value], dim=1)


def _from_hvi(transform: Any, image: Tensor) -> Tensor:
    """The way back, of values that may leave their ranges; RGB (N, 3, H, W)."""
    horizontal, vertical = image[:, 0].clamp(-1, 1), image[:, 1].clamp(-1, 1)
    value = image[:, 2].clamp(0, 1)
    strength = ((value * 0.5 * pi).sin() + _EPSILON).pow(transform.density_k) + _EPSILON
    horizontal, vertical = (horizontal / strength).clamp(-1, 1), (vertical / strength).clamp(-1, 1)
    hue = (torch.atan2(vertical, horizontal) / (2 * pi)) % 1
    saturation = torch.sqrt(horizontal**2 + vertical**2)
    if transform.gated:
        saturation = saturation * 1.3
    saturation = saturation.clamp(0, 1)
    sector = torch.floor(hue * 6.0)
    part = hue * 6.0 - sector
    low = value * (1.0 - saturation)
    falling = value * (1.0 - part * saturation)
    rising = value * (1.0 - (1.0 - part) * saturation)
    sectors = (
        (value, rising, low),
        (falling, value, low),
        (low, value, rising),
        (low, falling, value),
        (rising, low, value),
        (value, low, falling),
    )
    rgb = torch.zeros_like(image)
    for number, colour in enumerate(sectors):
        rgb = torch.where((sector == number).unsqueeze(1), torch.stack(colour, dim=1), rgb)
    return rgb * transform.alpha if transform.gated2 else rgb
