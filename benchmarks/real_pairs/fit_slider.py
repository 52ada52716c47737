"""One slider through five published networks: waifu2x cunet's scale and noise0 to noise3, from 0 to 4.

  python benchmarks/real_pairs/fit_slider.py FOLDER     after fit.py FOLDER "cunet noise0, scale", whose middle it takes
  python benchmarks/real_pairs/fit_slider.py --page     measures nothing: the page and plot of what was measured

Photographs are halved, made noisy or compressed, and enlarged at every quarter of the slider; what comes out is held
against the photograph. Writes benchmarks/results/real_pairs_slider.json, .md, .png and _sheet.jpg.
"""

import io
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import numpy as np
import skimage
from fit_slider_page import page, plot
from measure import rounded
from numpy.typing import NDArray
from PIL import Image
from published import FAMILIES, checkpoint

import dni_deploy
import dni_runtime
from dni_exporters.verdict.measures import psnr_db

Pixels = NDArray[np.float32]
Record = dict[str, Any]

RESULTS = Path(__file__).resolve().parents[1] / "results"
LEVELS = ("scale", "noise0", "noise1", "noise2", "noise3")
PLACES = tuple(float(number) / 4 for number in range(17))
SIDE_PX = 192
# File and left, top, right, bottom of what becomes the photograph; nothing was learnt from any of them.
PHOTOGRAPHS = {
    "astronaut": ("astronaut.png", (60, 0, 444, 384)),
    "chelsea": ("chelsea.png", (100, 10, 390, 300)),
    "coffee": ("coffee.png", (150, 0, 550, 400)),
    "rocket": ("rocket.jpg", (200, 20, 600, 420)),
}
DAMAGES = {f"noise {sigma}": (sigma, 0) for sigma in (2, 8, 20)} | {
    f"JPEG {quality}": (0, quality) for quality in (90, 60, 30)
}
SHOWN = ("chelsea", "noise 8")


def photograph(name: str) -> Pixels:
    """(SIDE_PX, SIDE_PX, 3) in 0..1"""
    file, box = PHOTOGRAPHS[name]
    with Image.open(Path(skimage.__file__).parent / "data" / file) as image:
        cut = image.convert("RGB").crop(box).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    return np.asarray(cut, np.float32) / np.float32(255)


def damaged(clean: Pixels, sigma: float, quality: int) -> Pixels:
    """Half its size, with noise of `sigma` of 255, or as a JPEG of `quality`."""
    half = Image.fromarray((clean * 255).round().astype(np.uint8)).resize((SIDE_PX // 2,) * 2, Image.Resampling.LANCZOS)
    noise = sigma * np.random.default_rng(0).standard_normal((SIDE_PX // 2, SIDE_PX // 2, 3))
    levels = (np.asarray(half) + noise).round().clip(0, 255).astype(np.uint8)
    if quality:
        Image.fromarray(levels).save(jpeg := io.BytesIO(), "JPEG", quality=quality)
        levels = np.asarray(Image.open(jpeg))
    return np.asarray(levels, np.float32) / np.float32(255)


def gradient_deviation(picture: Pixels, clean: Pixels) -> float:
    """GMSD (Xue et al., arXiv 1308.3052), of 0 for equal pictures: how unevenly edges are as in the clean one."""
    first, second = (_edges(255 * each @ np.array([0.299, 0.587, 0.114], np.float32)) for each in (picture, clean))
    alike = (2 * first * second + 170) / (first**2 + second**2 + 170)
    return float(alike.std())


def _edges(grey: Pixels) -> Pixels:
    """Prewitt's gradient of every second pixel of the smoothed picture."""
    small = (grey[:-1:2, :-1:2] + grey[1::2, :-1:2] + grey[:-1:2, 1::2] + grey[1::2, 1::2]) / 4
    rows, columns = small[:-2] + small[1:-1] + small[2:], small[:, :-2] + small[:, 1:-1] + small[:, 2:]
    across, down = rows[:, 2:] - rows[:, :-2], columns[2:] - columns[:-2]
    edges: Pixels = np.hypot(across / 3, down / 3)
    return edges


def export(folder: Path) -> Path:
    """The five networks as one file, around the fitted middle between the first two."""
    family = next(family for family in FAMILIES if family.name == "waifu2x cunet")
    files = [checkpoint(folder, family, name) for name in LEVELS]
    middle, model = folder / "waifu2x-cunet-noise0-scale.safetensors", folder / "waifu2x-cunet-denoise.onnx"
    along: dict[str, Any] = {"through": [middle], "path": True, "at": [float(n) for n in range(len(LEVELS))]}
    dni_deploy.export(files, model, alpha_input=True, force=True, **along)
    return model


def measure(model_file: Path) -> tuple[Record, list[tuple[float, Pixels]]]:
    """Every photograph, damage and place; and the pictures of SHOWN along the slider."""
    rows, shown = [], []
    with dni_runtime.load(model_file, threads=1) as model:
        # A place after the other: its weights are computed once.
        for place in PLACES:
            for name in PHOTOGRAPHS:
                clean = photograph(name)
                for damage, how in DAMAGES.items():
                    image = damaged(clean, *how).transpose(2, 0, 1)[None]
                    picture = model(np.ascontiguousarray(image), place)[0].transpose(1, 2, 0).clip(0, 1)
                    rows.append(
                        {
                            "photograph": name,
                            "damage": damage,
                            "place": place,
                            "psnr_db": psnr_db(picture, clean),
                            "gradient_deviation": gradient_deviation(picture, clean),
                        }
                    )
                    if (name, damage) == SHOWN:
                        shown.append((place, picture))
        verdict = model.metadata.verdict
    told: Record = {"levels": LEVELS, "bytes": model_file.stat().st_size, "verdict": verdict}
    pictures = [picture for _, picture in shown]
    told["steps_db"], told["levels_db"] = (
        [psnr_db(one, other) for one, other in pairwise(each)] for each in (pictures, pictures[::4])
    )
    return {**told, "rows": rows}, shown


def sheet(shown: list[tuple[float, Pixels]]) -> NDArray[np.uint8]:
    """What lies at every quarter; the published levels by their names."""
    labels = [f"{place:g}" + (f" = {LEVELS[int(place)]}" if place in range(5) else "") for place, _ in shown]
    levels = [(picture * 255).round().astype(np.uint8) for _, picture in shown]
    return dni_deploy.contact_sheet(levels, labels, title=", ".join(SHOWN), columns=6, max_width_px=1400)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--page", "only_page", is_flag=True, help="Measure nothing.")
@click.option("--output", default=RESULTS, type=click.Path(path_type=Path), show_default="benchmarks/results")
def main(folder: Path | None, only_page: bool, output: Path) -> None:
    """Measure, and write the page."""
    raw = output / "real_pairs_slider.json"
    if not only_page:
        if folder is None:
            raise click.UsageError("give the folder of fit.py")
        results, shown = measure(export(folder))
        raw.write_text(json.dumps(rounded(results), indent=None) + "\n")
        Image.fromarray(sheet(shown)).save(output / "real_pairs_slider_sheet.jpg", quality=85, optimize=True)
    results = json.loads(raw.read_text())
    (output / "real_pairs_slider.md").write_text(page(results))
    plot(results, output / "real_pairs_slider.png")


if __name__ == "__main__":
    main()
