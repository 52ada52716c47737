"""The photographs that verdicts are made on: reduced, degraded as the pictures that such networks are for, and written.

    python benchmarks/verdict_photographs.py

All lie inside scikit-image's wheel, and are expressly CC0 or in the public domain: benchmarks/demo_pair/photographs.py
says which, and where from.
"""

import io
import sys
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dni_exporters.verdict.photographs import BUILT_IN

sys.path.insert(0, str(Path(__file__).parent / "demo_pair"))
from photographs import HELD_OUT, TRAINING, Photograph, noisy

SIDE_PX = 96
# name: (photograph, left and top and side of a square of it as shares of its height, how much of red and green change
# places, sigma of the noise of 255, quality and subsampling of the JPEG). Clean, noisy, and coarsely compressed: a
# fault shows on one and not on another, and on one colour and not on another. No photograph in colour has much green of
# its own. 4:2:0 takes colour noise away, and with it the green that some pairs make of noise: one is 4:4:4.
RECIPES = {
    "astronaut": ("astronaut", (0.0, 0.0, 1.0), 0, 3, 90, "4:2:0"),
    "camera": ("camera", (0.1, 0.1, 0.8), 0, 10, 90, "4:2:0"),
    "chelsea": ("chelsea", (0.1, 0.0, 1.0), 0, 8, 95, "4:4:4"),
    "coffee": ("coffee", (0.1, 0.0, 1.0), 0, 0, 75, "4:2:0"),
    "coffee_green": ("coffee", (0.45, 0.0, 1.0), 0.65, 10, 95, "4:2:0"),
    "rocket": ("rocket", (0.25, 0.0, 1.0), 0, 12, 95, "4:2:0"),
}


def degraded(
    photograph: Photograph,
    part: tuple[float, float, float],
    exchanged: float,
    sigma: int,
    quality: int,
    subsampling: str,
) -> NDArray[np.uint8]:
    """RGB (SIDE_PX, SIDE_PX, 3), as read from a JPEG."""
    levels = Image.fromarray((photograph.pixels() * 255).round().astype(np.uint8))
    left, top, side = (round(share * levels.height) for share in part)
    levels = levels.crop((left, top, left + side, top + side)).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    pixels = np.asarray(levels, np.float32) / np.float32(255)
    pixels = (1 - exchanged) * pixels + exchanged * pixels[..., [1, 0, 2]]
    degraded = Image.fromarray((noisy(pixels, sigma, seed=1).clip(0, 1) * 255).round().astype(np.uint8))
    file = io.BytesIO()
    degraded.save(file, "JPEG", quality=quality, subsampling=subsampling, optimize=True)
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


@click.command()
def main() -> None:
    """Write the photographs into the package, as pixels."""
    photographs = {each.name: each for each in (*TRAINING, *HELD_OUT)}
    made = {name: degraded(photographs[source], *recipe) for name, (source, *recipe) in RECIPES.items()}
    np.savez_compressed(BUILT_IN, **made)  # type: ignore[arg-type]
    click.echo(f"{BUILT_IN} ({BUILT_IN.stat().st_size} bytes)", err=True)


if __name__ == "__main__":
    main()
