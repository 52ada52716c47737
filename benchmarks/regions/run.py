"""What a strength for each region costs, and how near mixing a few levels comes to an alpha for each pixel.

    python benchmarks/regions/run.py

The bundled pair cleans parts of 192 x 192 pixels of four photographs that it never saw, in tiles of 64 pixels. "Right"
is an alpha for each pixel, as near as it can be had: the network at 33 alphas for all of the image, and of each pixel
what lies between the two next to its own. Before anything is timed, a map of one value has to be the scalar's result,
bit for bit.
"""

import json
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import dni_runtime
from dni_deploy.demo import EXPORTED
from dni_runtime.images.enhance import enhance_images
from dni_runtime.images.strengths.levels import choose_levels
from dni_runtime.images.strengths.regions import Regions

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo_pair"))
from maps import KINDS, Map, painted
from page import markdown
from photographs import HELD_OUT, noisy

RESULTS = Path(__file__).resolve().parents[1] / "results"
SIGMA = 30
SIDE, TILE = 192, 64
MOST = (2, 3, 5, 9)
MANY = 33
TIMES = 2

Floats = NDArray[np.float32]


class Counted:
    """The network, which counts the tiles that it runs."""

    def __init__(self, model: dni_runtime.Model) -> None:
        self.model, self.tiles = model, 0

    def at(self, alpha: float) -> Callable[[Floats], Floats]:
        def run(x: Floats) -> Floats:
            self.tiles += len(x)
            return self.model(x, alpha)

        return run

    def enhance(self, image: Floats, alpha: float | Map, most: int = MANY) -> tuple[Floats, int, int]:
        """The result, the tiles that were run for it, and at how many levels."""
        self.tiles = 0
        levels = choose_levels(alpha, most) if isinstance(alpha, np.ndarray) else (alpha,)
        runs = [self.at(level) for level in levels]
        network = Regions(alpha, levels, runs) if isinstance(alpha, np.ndarray) else runs[0]
        (result,) = enhance_images(network, [image], self.model.metadata, (None, 3, None, None), tile=TILE)
        return result, self.tiles, len(levels)


def right(network: Counted, image: Floats, maps: Sequence[Map]) -> list[Floats]:
    """An alpha for each pixel, for each of the maps."""
    results = [np.empty_like(image) for _ in maps]
    below = network.enhance(image, 0.0)[0]
    for low, high in pairwise(np.linspace(0, 1, MANY)):
        above = network.enhance(image, float(high))[0]
        for result, strengths in zip(results, maps, strict=True):
            here = (strengths >= low) & (strengths <= high)
            share = ((strengths - low) / (high - low))[:, :, None]
            result[here] = (below + share * (above - below))[here]
        below = above
    return results


def middle(pixels: Floats) -> Floats:
    top, left = ((side - SIDE) // 2 for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + SIDE, left : left + SIDE])


def check(network: Counted, image: Floats) -> None:
    for alpha in (0.0, 0.3, 1.0):
        constant = network.model.enhance(image, np.full(image.shape[:2], alpha, np.float32), tile=TILE)
        if not np.array_equal(constant, network.model.enhance(image, alpha, tile=TILE)):
            raise AssertionError(f"a map of {alpha} everywhere is not alpha {alpha}")


def measure(network: Counted, images: Mapping[str, Floats]) -> list[dict[str, Any]]:
    rows = []
    maps = {kind: draw(SIDE, SIDE) for kind, draw in KINDS.items()}
    truths = {
        name: dict(zip(maps, right(network, image, list(maps.values())), strict=True)) for name, image in images.items()
    }
    whole = network.enhance(images["chelsea"], 0.5)[1]
    for kind, strengths in maps.items():
        for most in MOST:
            errors, tiles, levels = [], [], []
            for name, image in images.items():
                result, ran, used = network.enhance(image, strengths, most)
                errors.append(np.abs(result - truths[name][kind]) * 255)
                tiles.append(ran / whole)
                levels.append(used)
            rows.append(
                {
                    "map": kind,
                    "most": most,
                    "levels": sorted(set(levels)),
                    "mean": float(np.mean([error.mean() for error in errors])),
                    "p99": float(np.mean([np.quantile(error, 0.99) for error in errors])),
                    "max": float(max(error.max() for error in errors)),
                    "tiles": float(np.mean(tiles)),
                    "time": float(np.mean([slower(network, image, strengths, most) for image in images.values()])),
                }
            )
            click.echo(json.dumps(rows[-1]), err=True)
    return rows


def slower(network: Counted, image: Floats, strengths: Map, most: int) -> float:
    """How many times the processor's time of one alpha for the whole photograph; the least of several turns each."""
    pixels = (image.clip(0, 1) * 255).round().astype(np.uint8)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for by_region in (True, False) * TIMES:
        start = time.process_time()
        network.model.enhance(pixels, strengths if by_region else 0.5, tile=TILE, levels=most)
        seconds[by_region].append(time.process_time() - start)
    return min(seconds[True]) / min(seconds[False])


def look(network: Counted) -> Image.Image:
    """The photograph with a face before a sky: what each alpha makes of it, and what a map does."""
    clean = HELD_OUT[3].pixels()
    image = (noisy(clean, SIGMA, 0).clip(0, 1) * 255).round().astype(np.uint8)
    strengths = painted()
    shown = {
        f"noise of sigma {SIGMA}": image,
        "alpha 0.9: the face is kept, and the grain": network.model.enhance(image, 0.9),
        "alpha 0: the sky is smooth, and the face": network.model.enhance(image, 0.0),
        "the mask: black is 0, white 1": np.repeat((strengths * 255).round().astype(np.uint8)[:, :, None], 3, 2),
        "by the mask": network.model.enhance(image, strengths),
        "what was there before the noise": (clean * 255).round().astype(np.uint8),
    }
    width, height, title = 300, 260, 26
    sheet = Image.new("RGB", (3 * (width + 8) - 8, 2 * (height + title + 8) - 8), "white")
    brush = ImageDraw.Draw(sheet)
    for index, (name, pixels) in enumerate(shown.items()):
        x, y = index % 3 * (width + 8), index // 3 * (height + title + 8)
        part = Image.fromarray(pixels).crop((70, 20, 70 + width, 20 + height))
        sheet.paste(part, (x, y + title))
        brush.text((x, y + 4), name, fill="black", font=ImageFont.load_default(15))
    return sheet


@click.command()
@click.option("--threads", default=1, show_default=True)
@click.option("--output", default=RESULTS, type=click.Path(path_type=Path), show_default="benchmarks/results")
def main(threads: int, output: Path) -> None:
    """Write regions.json, .md and .jpg."""
    images = {photo.name: noisy(middle(photo.pixels()), SIGMA, seed) for seed, photo in enumerate(HELD_OUT)}
    with dni_runtime.load(EXPORTED, "cpu", threads=threads) as model:
        network = Counted(model)
        look(network).save(output / "regions.jpg", quality=90, optimize=True)
        check(network, images["chelsea"])
        rows = measure(network, images)
    data = {
        "what": "errors in steps of 255; tiles and time as multiples of one alpha for the whole photograph",
        "threads": threads,
        "photographs": list(images),
        "sigma": SIGMA,
        "side": SIDE,
        "tile": TILE,
        "many": MANY,
        "processor": platform.processor() or platform.machine(),
        "versions": {"NumPy": np.__version__, "ONNX Runtime": onnxruntime.__version__},
        "rows": rows,
    }
    rounded = json.loads(json.dumps(data), parse_float=lambda text: round(float(text), 3))
    (output / "regions.json").write_text(json.dumps(rounded, indent=1) + "\n")
    (output / "regions.md").write_text(markdown(rounded))


if __name__ == "__main__":
    main()
