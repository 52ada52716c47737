"""How near the noise that is estimated in a photograph comes to what was added, and what it costs to trust it.

    python benchmarks/noise_estimate/run.py --unseen DIR

Two sets of photographs: the eleven of benchmarks/demo_pair, on which filter, block size and share were chosen (nothing
is fitted to a photograph: both factors come from Gaussian noise alone), and those of DIR, which nobody had looked at.
Gaussian noise of each sigma is added, clipped and rounded as a file does it. Beside our estimate stands the one that it
goes back to, the median absolute deviation of all finest diagonal Haar coefficients (Donoho and Johnstone, 1994).

Then the bundled pair, calibrated by `dni calibrate` on the seven photographs that trained it, cleans the others: at the
alpha for the noise that was added, and at the alpha that "auto" chooses.
"""

import io
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import dni_deploy
import dni_runtime
from dni_deploy.calibrating import calibrate
from dni_deploy.demo import STRONG, WEAK
from dni_deploy.image_files.read_write import read_image
from dni_runtime import estimate_noise

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo_pair"))
from photographs import HELD_OUT, TRAINING

RESULTS = Path(__file__).resolve().parents[1] / "results"
SIGMAS = (5, 10, 15, 25, 35, 50, 75)
CLEANED = (15, 20, 25, 30, 40, 50)
QUALITIES = (95, 90, 75)
SIDE_PX = 224
QUALITY = 90
LEVELS = tuple(range(10, 60, 5))
GREY = {"camera", "brick", "grass", "gravel", "clock"}

Pixels = NDArray[np.uint8]
Photographs = Mapping[str, Pixels]


def levels(name: str, pixels: NDArray[np.float32]) -> Pixels:
    """8 bits; grey photographs are (H, W)."""
    image = (pixels * 255).round().astype(np.uint8)
    return np.ascontiguousarray(image[:, :, 0]) if name in GREY else image


def noisy(image: Pixels, sigma: float, seed: int = 0) -> Pixels:
    noise = sigma * np.random.default_rng(seed).standard_normal(image.shape)
    return (image + noise).round().clip(0, 255).astype(np.uint8)


def as_jpeg(image: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def middle(image: Pixels) -> Pixels:
    """A part that is cleaned in a fraction of a second."""
    top, left = ((side - SIDE_PX) // 2 for side in image.shape[:2])
    return np.ascontiguousarray(image[top : top + SIDE_PX, left : left + SIDE_PX])


def median_of_all(image: Pixels) -> float:
    """Donoho and Johnstone's estimate, of each channel; the mean of them."""
    planes = image[:, :, None] if image.ndim == 2 else image
    x = planes[: planes.shape[0] // 2 * 2, : planes.shape[1] // 2 * 2].astype(np.float64)
    detail = (x[::2, ::2] - x[1::2, ::2] - x[::2, 1::2] + x[1::2, 1::2]) / 2
    return float(np.mean([np.median(np.abs(detail[:, :, c])) / 0.6745 for c in range(detail.shape[2])]))


def accuracy(photographs: Photographs) -> list[dict[str, Any]]:
    """For each sigma what every way makes of it, as a share of it."""
    found = []
    for sigma in SIGMAS:
        images = {name: noisy(image, sigma) for name, image in photographs.items()}
        ours = {name: (estimate_noise(image) or 0.0) / sigma for name, image in images.items()}
        median = {name: median_of_all(image) / sigma for name, image in images.items()}
        jpeg = {q: [(estimate_noise(as_jpeg(i, q)) or 0.0) / sigma for i in images.values()] for q in QUALITIES}
        found.append(
            {
                "sigma": sigma,
                "ours": summary(list(ours.values())),
                "median of all": summary(list(median.values())),
                "ours, each": ours,
                **{f"ours, after JPEG {quality}": summary(shares) for quality, shares in jpeg.items()},
            }
        )
        click.echo(f"sigma {sigma}: {found[-1]['ours']}, median of all {found[-1]['median of all']}", err=True)
    return found


def summary(shares: Sequence[float]) -> dict[str, float]:
    return {
        "median": float(np.median(shares)),
        "mean": float(np.mean(shares)),
        "spread": float(np.std(shares)),
        "least": min(shares),
        "most": max(shares),
    }


def psnr_db(image: Pixels, clean: Pixels) -> float:
    return float(10 * np.log10(255**2 / np.square(image.astype(np.float64) - clean).mean()))


def cost(photographs: Photographs, threads: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The calibration, and for each sigma the PSNR at the alpha for it and at the one that is chosen."""
    with tempfile.TemporaryDirectory() as folder:
        model, clean = Path(folder) / "model.onnx", Path(folder) / "clean"
        dni_deploy.export([WEAK, STRONG], model, alpha_input=True)
        clean.mkdir()
        for photograph in TRAINING:
            Image.fromarray(levels(photograph.name, photograph.pixels())).save(clean / f"{photograph.name}.png")
        calibration = calibrate(model, clean, noise=LEVELS, threads=threads, provider="cpu").calibration
        rows = []
        with dni_runtime.load(model, "cpu", threads=threads) as loaded:
            for compressed, sigma in ((c, s) for c in (False, True) for s in CLEANED):
                told, auto = [], []
                for image in map(middle, photographs.values()):
                    spoiled = as_jpeg(noisy(image, sigma), QUALITY) if compressed else noisy(image, sigma)
                    told.append(psnr_db(loaded.enhance(spoiled, calibration.nearest(sigma)), image))
                    auto.append(psnr_db(loaded.enhance(spoiled, "auto"), image))
                lost = np.array(told) - auto
                rows.append(
                    {
                        "sigma": sigma,
                        "jpeg": QUALITY if compressed else None,
                        "alpha": calibration.nearest(sigma),
                        "told_db": float(np.mean(told)),
                        "auto_db": float(np.mean(auto)),
                        "most_lost_db": float(lost.max()),
                        "most_won_db": float(-lost.min()),
                    }
                )
                click.echo(f"sigma {sigma}: {rows[-1]}", err=True)
    return calibration.to_dict(), rows


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---:"] * len(head), *rows)) + "\n"


def accuracy_table(rows: Sequence[Mapping[str, Any]]) -> str:
    head = ["sigma", "estimate / sigma: median", "mean", "spread", "least", "most", "median of all: mean", "its spread",
            *(f"after JPEG {quality}" for quality in QUALITIES)]  # fmt: skip
    return table(head, [
        [
            str(row["sigma"]),
            *(f"{row['ours'][key]:.2f}" for key in ("median", "mean", "spread", "least", "most")),
            *(f"{row['median of all'][key]:.2f}" for key in ("mean", "spread")),
            *(f"{row[f'ours, after JPEG {q}']['median']:.2f} ± {row[f'ours, after JPEG {q}']['spread']:.2f}"
              for q in QUALITIES),
        ]
        for row in rows
    ])  # fmt: skip


def markdown(data: Mapping[str, Any]) -> str:
    each = data["chosen on"]
    names = list(each[0]["ours, each"])
    single = [[name, *(f"{row['ours, each'][name]:.2f}" for row in each)] for name in names]
    cleaned = [
        [
            str(r["sigma"]),
            "no" if r["jpeg"] is None else str(r["jpeg"]),
            f"{r['alpha']:.3f}",
            *(f"{r[key]:.2f}" for key in ("told_db", "auto_db")),
            f"{r['told_db'] - r['auto_db']:.2f}",
            *(f"{r[key]:.2f}" for key in ("most_lost_db", "most_won_db")),
        ]
        for r in data["cleaned"]
    ]
    return f"""# The noise that is estimated in a photograph

`dni_runtime.estimate_noise`, on which `--alpha auto` rests, beside Gaussian noise that was added: estimate / sigma, so
that 1.00 is right. "Spread" is the standard deviation over the photographs. "Median of all" is the estimate that it
goes back to (Donoho and Johnstone, 1994: the median absolute deviation of all finest diagonal Haar coefficients).

What it does not do: **texture everywhere is noise to it** (grass, sigma 5: {each[0]["ours, each"]["grass"]:.1f}
times), and photographs have noise of their own, which counts. A **JPEG** halves the resolution of colour and keeps
what noise has in the brightness, in all three channels alike; that counts as the noise apart in each channel which is
as hard to take away. At low quality and little noise, little of it is left.

## Photographs that nobody had looked at

{len(data["unseen photographs"])}: {", ".join(data["unseen photographs"])}.

{accuracy_table(data["unseen"])}
## The eleven on which filter, block size and share were chosen

{accuracy_table(each)}
Each of them, estimate / sigma at sigma {", ".join(str(row["sigma"]) for row in each)}:

{table(["photograph", *(str(row["sigma"]) for row in each)], single)}
## What it costs to trust it

The bundled pair, calibrated on the photographs that trained it, cleans {data["cleaned photographs"]} others: four of
the demo, and those that nobody had looked at; {SIDE_PX}x{SIDE_PX} pixels of each, of noise as it was added and after a
JPEG. PSNR in dB at the alpha for the noise that was added, and at the alpha that "auto" chooses; the largest loss and
gain of one photograph. The gains are those of the grey one: its three channels share the noise, which is harder than
the noise of that sigma which the model was calibrated for, and "auto" takes it so.

{table(["sigma", "JPEG", "alpha", "told", "auto", "lost", "most lost", "most won"], cleaned)}
Measured by `benchmarks/noise_estimate/run.py`; all values are in `noise_estimate.json`.
"""


@click.command()
@click.option("--unseen", type=click.Path(path_type=Path, exists=True), required=True, help="More photographs.")
@click.option("--threads", default=1, show_default=True)
@click.option("--output", default=RESULTS, type=click.Path(path_type=Path), show_default="benchmarks/results")
def main(unseen: Path, threads: int, output: Path) -> None:
    """Write noise_estimate.json and .md."""
    chosen_on = {p.name: levels(p.name, p.pixels()) for p in (*TRAINING, *HELD_OUT)}
    others = {file.stem: read_image(file) for file in sorted(unseen.iterdir())}
    cleaned = {**{p.name: chosen_on[p.name] for p in HELD_OUT}, **others}
    data: dict[str, Any] = {
        "what": "estimate / sigma of Gaussian noise; PSNR in dB",
        "unseen photographs": list(others),
        "unseen": accuracy(others),
        "chosen on": accuracy(chosen_on),
        "cleaned photographs": len(cleaned),
    }
    data["calibration"], data["cleaned"] = cost(cleaned, threads)
    rounded = json.loads(json.dumps(data), parse_float=lambda text: round(float(text), 3))
    (output / "noise_estimate.json").write_text(json.dumps(rounded, indent=1) + "\n")
    (output / "noise_estimate.md").write_text(markdown(data))


if __name__ == "__main__":
    main()
