"""What the pairs do to eight pictures, computed here with PyTorch alone: for the eye, and apart from any figure.

All eight come from scikit-image's wheel; they are not the ones that `dni inspect` judges by.
"""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import skimage
import torch
from numpy.typing import NDArray
from PIL import Image
from published import Pair

Pixels = NDArray[np.float32]

SIDE_PX = 96
BETWEEN = (0.75, 0.5, 0.25)
ALPHAS = (1.0, *BETWEEN, 0.0)

# file: (left, top, right, bottom) of what is reduced to SIDE_PX, the noise's sigma of 255, the JPEG's quality
_RECIPES: Mapping[str, tuple[str, tuple[int, int, int, int], float, int | None]] = {
    "cat, noise": ("chelsea.png", (100, 20, 388, 300), 10, None),
    "red cup, JPEG": ("coffee.png", (150, 20, 500, 370), 0, 80),
    "portrait": ("astronaut.png", (60, 0, 360, 300), 0, None),
    "blue sky, JPEG": ("rocket.jpg", (200, 50, 500, 350), 0, 60),
    "grey, noise": ("camera.png", (150, 50, 406, 306), 5, None),
    "red": ("retina.jpg", (300, 300, 1100, 1100), 0, None),
    "drawing": ("logo.png", (0, 0, 500, 500), 0, None),
    "all colours, JPEG": ("color.png", (0, 0, 370, 371), 0, 90),
}


def pictures() -> dict[str, Pixels]:
    """name -> float32 (SIDE_PX, SIDE_PX, 3) in 0..1"""
    return {name: _picture(*recipe) for name, recipe in _RECIPES.items()}


def _picture(file: str, box: tuple[int, int, int, int], sigma: float, quality: int | None) -> Pixels:
    with Image.open(Path(skimage.__file__).parent / "data" / file) as opened:
        opaque = Image.alpha_composite(Image.new("RGBA", opened.size, "white"), opened.convert("RGBA"))
    small = opaque.convert("RGB").crop(box).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    if quality:
        small.save(jpeg := io.BytesIO(), "JPEG", quality=quality)
        small = Image.open(jpeg)
    noise = np.random.default_rng(0).standard_normal((SIDE_PX, SIDE_PX, 3), np.float32)
    return (np.asarray(small, np.float32) / 255 + noise * np.float32(sigma / 255)).clip(0, 1)


def looks(pair: Pair, folder: Path, inputs: Mapping[str, Pixels]) -> Iterator[tuple[str, dict[float, Pixels]]]:
    """For every picture its name, and what the pair's blends make of it: alpha -> float32 (H, W, 3) in 0..1."""
    states = [torch.load(file, weights_only=True) for file in pair.files(folder)]
    networks = {}
    for alpha in ALPHAS:
        network = networks[alpha] = pair.family.network()
        weights = {key: alpha * states[0][key] + (1 - alpha) * states[1][key] for key, _ in network.named_parameters()}
        network.load_state_dict(weights, strict=False)
    for name, pixels in inputs.items():
        image = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]
        with torch.inference_mode():
            yield (
                name,
                {alpha: network(image)[0].clamp(0, 1).permute(1, 2, 0).numpy() for alpha, network in networks.items()},
            )


def mix(outputs: Mapping[float, Pixels], alpha: float) -> Pixels:
    """What a blend is looked at beside: the ends' own pictures, mixed."""
    return np.float32(alpha) * outputs[1.0] + np.float32(1 - alpha) * outputs[0.0]


def as_image(pixels: Pixels) -> Image.Image:
    return Image.fromarray((pixels * 255).round().astype(np.uint8))
