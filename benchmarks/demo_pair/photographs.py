"""The photographs behind the demo pair: where each comes from, and which of them training never sees.

    python benchmarks/demo_pair/photographs.py       # writes the two that the demo ships

All lie inside scikit-image's wheel, and the docstring of `skimage.data.<name>` states the terms of each. Only
photographs that are expressly CC0 or in the public domain are used. That leaves out `coins` and
`immunohistochemistry` ("no known copyright restrictions"), `moon` and the stereo motorcycle (no terms given),
`cell` (a phase image computed from a hologram) and `microaneurysms` (102 pixels wide).
"""

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image

DEMO = Path(__file__).resolve().parents[2] / "dni_deploy" / "demo"
SHIPPED_SIGMA = 30
SHIPPED_SEED = 1

CC0 = "CC0 1.0"
PUBLIC_DOMAIN = "public domain"


@dataclass(frozen=True, slots=True)
class Photograph:
    """One photograph of scikit-image's, and how it is used."""

    name: str
    file: str
    licence: str
    origin: str
    weight: float = 1.0
    """How often training draws from it, against the others."""
    shrink: int = 1
    """Reduced by this whole factor before use: it is larger than its detail."""

    def pixels(self) -> NDArray[np.float32]:
        """The photograph as float32 (H, W, 3) in 0..1, RGB; grey ones have three equal channels."""
        with Image.open(Path(skimage.__file__).parent / "data" / self.file) as image:
            rgb = image.convert("RGB")
            small = rgb.reduce(self.shrink) if self.shrink > 1 else rgb
            return np.asarray(small, np.float32) / np.float32(255)


TRAINING = (
    Photograph("astronaut", "astronaut.png", PUBLIC_DOMAIN, "NASA Great Images, Eileen Collins", weight=6),
    Photograph("retina", "retina.jpg", CC0, "Mikael Häggström, Wikimedia Commons", shrink=2),
    Photograph("hubble_deep_field", "hubble_deep_field.jpg", PUBLIC_DOMAIN, "NASA, HubbleSite 2012-37"),
    Photograph("brick", "brick.png", CC0, "CC0Textures Bricks25", weight=2),
    Photograph("grass", "grass.png", CC0, "linolafett, DeviantArt Grass-01"),
    Photograph("gravel", "gravel.png", CC0, "CC0Textures Gravel04"),
    Photograph("clock", "clock_motion.png", PUBLIC_DOMAIN, "Stefan van der Walt"),
)

HELD_OUT = (
    Photograph("chelsea", "chelsea.png", CC0, "Stefan van der Walt"),
    Photograph("coffee", "coffee.png", CC0, "Rachel Michetti, courtesy of Pikolo Espresso Bar"),
    Photograph("rocket", "rocket.jpg", PUBLIC_DOMAIN, "SpaceX, launch of DSCOVR"),
    Photograph("camera", "camera.png", CC0, "Lav Varshney (grey)"),
)


def noisy(pixels: NDArray[np.float32], sigma: float, seed: int) -> NDArray[np.float32]:
    """The pixels with Gaussian noise of `sigma` (of 255) added, not clipped."""
    noise = np.random.default_rng(seed).standard_normal(pixels.shape, np.float32)
    return pixels + noise * np.float32(sigma / 255)


@click.command()
def main() -> None:
    """Write the demo's photograph, clean and noisy, as 8-bit files."""
    clean = HELD_OUT[0].pixels()
    files = {"photograph.png": clean, "photograph_noisy.png": noisy(clean, SHIPPED_SIGMA, SHIPPED_SEED)}
    for name, pixels in files.items():
        levels = (pixels.clip(0, 1) * 255).round().astype(np.uint8)
        Image.fromarray(levels).save(DEMO / name, optimize=True)
        click.echo(f"{DEMO / name} ({(DEMO / name).stat().st_size} bytes)", err=True)


if __name__ == "__main__":
    main()
