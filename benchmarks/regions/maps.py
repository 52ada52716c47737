"""Maps of alpha as people make them, and the one that was painted for a photograph."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Map = NDArray[np.float32]
SOFT_SHARE = 1 / 16
"""Of the photograph's height: over how much of it a soft border goes."""
HORIZON = 200
SKY, GRASS, PERSON = 0.0, 0.4, 0.9
PERSON_OUTLINE = [
    (0, 250), (40, 190), (75, 140), (125, 120), (155, 103), (170, 78), (205, 62), (245, 75), (274, 108), (272, 134),
    (328, 136), (334, 185), (312, 240), (282, 300), (210, 300), (140, 375), (152, 512), (0, 512),
]  # fmt: skip


def blurred(strengths: Map, sigma: float) -> Map:
    grey = Image.fromarray((strengths * 255).round().astype(np.uint8))
    return np.asarray(grey.filter(ImageFilter.GaussianBlur(sigma)), np.float32) / np.float32(255)


def subject(height: int, width: int) -> Map:
    """1 within an ellipse in the middle of the photograph, 0 around it."""
    y, x = np.mgrid[:height, :width]
    inside = ((y - height / 2) / (height * 0.35)) ** 2 + ((x - width / 2) / (width * 0.25)) ** 2 < 1
    return inside.astype(np.float32)


def soft_subject(height: int, width: int) -> Map:
    return blurred(subject(height, width), height * SOFT_SHARE)


def three_parts(height: int, width: int) -> Map:
    """0, 0.35 and 1 beside each other, with soft borders."""
    parts = np.array([0, 0.35, 1], np.float32)[np.arange(width) * 3 // width]
    return blurred(np.broadcast_to(parts, (height, width)), height * SOFT_SHARE / 2)


def gradient(height: int, width: int) -> Map:
    return np.linspace(0, 1, width, dtype=np.float32)[None].repeat(height, 0)


KINDS: Mapping[str, Callable[[int, int], Map]] = {
    "a subject, hard border": subject,
    "a subject, soft border": soft_subject,
    "three parts, soft borders": three_parts,
    "a gradient over all of it": gradient,
}


def painted() -> Map:
    """For `camera`, 512 x 512: the sky strong, the grass less, the person hardly; with soft borders."""
    mask = Image.new("L", (512, 512), round(GRASS * 255))
    brush = ImageDraw.Draw(mask)
    brush.rectangle((0, 0, 512, HORIZON), fill=round(SKY * 255))
    brush.polygon(PERSON_OUTLINE, fill=round(PERSON * 255))
    return blurred(np.asarray(mask, np.float32) / np.float32(255), 4)
