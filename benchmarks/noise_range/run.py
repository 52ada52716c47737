"""What the middle of a wide range of noise costs: one slider from sigma 15 to 75, beside a network for each level.

HyperRes' repository says that Deep Network Interpolation loses more than 1.9 dB to networks that were trained for the
level, in the middle of sigma 15 to 75 (CBSD68). Here the same question is asked of the bundled network: its end for
15, and one fine-tuned from it to 75 (networks.py). Whatever is between them is held against a network that was
fine-tuned for the level with the same recipe:

    linear      alpha falls evenly from 1 at sigma 15 to 0 at 75
    calibrated  the alpha that is best for the level, as `dni calibrate` finds it on the photographs of the training
    fitted      along the curve around the middle that `dni fit` learns, evenly and calibrated
    path        through the network for 50 as well (`dni-export --path --at 15,50,75`), where alpha is the sigma itself

    python benchmarks/noise_range/run.py            # a quarter of an hour on one core

PSNR is taken as in benchmarks/demo_pair: on outputs clipped to 0..1, of noise that is not clipped; and once more of
noise as it is in files.
"""

import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from PIL import Image

import dni_deploy
import dni_runtime
from dni_deploy.calibrating.best import GRID, best_alphas, monotone
from dni_deploy.calibrating.clean import find_photographs, read_parts
from dni_runtime import Calibration, Model

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo_pair"))
from networks import HIGH, LOW, MIDDLE, YARDSTICKS
from page import write
from photographs import HELD_OUT, TRAINING, noisy
from train import network

RESULTS = Path(__file__).resolve().parents[1] / "results"
SIGMAS = tuple(YARDSTICKS)
LEVELS = [15, 20, 25, 30, 40, 50, 60, 70, 75]

FloatArray = NDArray[np.float32]
Pair = tuple[FloatArray, FloatArray]
Images = Mapping[int, list[Pair]]


@dataclass(slots=True)
class Way:
    """One way to get from a level to a picture; `psnr_db`: for each sigma, of each photograph."""

    name: str
    alphas: dict[int, float] = field(default_factory=dict)
    psnr_db: dict[int, list[float]] = field(default_factory=dict)

    def mean_db(self, sigma: int) -> float:
        return float(np.mean(self.psnr_db[sigma]))


def batch(pixels: FloatArray) -> FloatArray:
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def pairs(sigma: int, *, clipped: bool) -> list[Pair]:
    """Clean and noisy, (1, 3, H, W) in 0..1; `clipped`: and rounded to 8 bits, as in a file."""
    clean = [photograph.pixels() for photograph in HELD_OUT]
    spoiled = [noisy(each, sigma, seed) for seed, each in enumerate(clean)]
    if clipped:
        spoiled = [np.float32((each.clip(0, 1) * 255).round() / 255) for each in spoiled]
    return [(batch(a), batch(b)) for a, b in zip(clean, spoiled, strict=True)]


def psnr_db(result: FloatArray, clean: FloatArray) -> float:
    error = np.square(result.clip(0, 1).astype(np.float64) - clean).mean()
    return float(-10 * np.log10(error))


def measure(way: Way, run: Callable[[FloatArray, int], FloatArray], images: Images) -> Way:
    for sigma, each in images.items():
        way.psnr_db[sigma] = [psnr_db(run(spoiled, sigma), clean) for clean, spoiled in each]
    click.echo(f"{way.name}: {[round(way.mean_db(sigma), 2) for sigma in images]}", err=True)
    return way


def along(model: Model, name: str, alpha: Callable[[float], float], images: Images) -> Way:
    way = Way(name, {sigma: alpha(sigma) for sigma in images})
    return measure(way, lambda x, sigma: model(x, way.alphas[sigma]), images)


@torch.inference_mode()
def trained_for_it(images: Images) -> Way:
    nets = {}
    for sigma, file in YARDSTICKS.items():
        nets[sigma] = network().eval()
        nets[sigma].load_state_dict(safetensors.torch.load_file(file))
    return measure(Way("trained for it"), lambda x, sigma: nets[sigma](torch.from_numpy(x)).numpy(), images)


def even(sigma: float) -> float:
    return (HIGH - sigma) / (HIGH - LOW)


def calibrated_unclipped(model: Model, clean: Path) -> Calibration:
    """As `dni calibrate` does it, but of noise that no file has clipped, as networks are trained and compared on."""
    grid = np.linspace(*model.metadata.alpha_range, GRID)
    parts = [np.float32(part.wanted / 255) for part in read_parts(find_photographs(clean), Fraction(1))][::2]
    errors = np.zeros((len(SIGMAS), GRID))
    for column, alpha in enumerate(grid):
        for row, sigma in enumerate(SIGMAS):
            for seed, part in enumerate(parts):
                result = model(batch(noisy(part, sigma, seed)), float(alpha)).clip(0, 1)
                errors[row, column] += np.square(result - batch(part)).mean(dtype=np.float64)
    alphas = monotone(best_alphas(grid, errors)).round(3).clip(*model.metadata.alpha_range)
    return Calibration("noise", tuple(map(float, SIGMAS)), tuple(alphas.tolist()))


def fitted(folder: Path, clean: Path, steps: int) -> tuple[Path, dict[str, Any]]:
    """The middle, and what its fit said of itself."""
    middle, started = folder / "middle.safetensors", time.process_time()
    report = dni_deploy.fit(
        [YARDSTICKS[LOW], YARDSTICKS[HIGH]],
        middle,
        photos=clean,
        degrade=[f"noise:{LOW}:{HIGH}"],
        steps=steps,
        threads=1,
        anyway=True,
        progress=lambda text: click.echo(text, err=True),
    )
    said = {
        "steps": report.steps,
        "cpu_s": time.process_time() - started,
        "stopped": report.stopped,
        "straight": {"to_mix_db": report.before.least_db, "says": report.before.text},
        "curve": {"to_mix_db": report.after.least_db, "says": report.after.text},
    }
    return middle, said


def clean_photographs(folder: Path) -> Path:
    folder.mkdir()
    for photograph in TRAINING:
        Image.fromarray((photograph.pixels() * 255).round().astype(np.uint8)).save(folder / f"{photograph.name}.png")
    return folder


def export(folder: Path, middle: Path) -> dict[str, Path]:
    files = {name: folder / f"{name}.onnx" for name in ("straight", "fitted", "path")}
    ends = [YARDSTICKS[LOW], YARDSTICKS[HIGH]]
    dni_deploy.export(ends, files["straight"], alpha_input=True)
    dni_deploy.export(ends, files["fitted"], alpha_input=True, through=[middle], curve=True)
    through = [YARDSTICKS[LOW], YARDSTICKS[MIDDLE], YARDSTICKS[HIGH]]
    dni_deploy.export(through, files["path"], alpha_input=True, path=True, at=[LOW, MIDDLE, HIGH])
    return files


def ways(models: Mapping[str, Model], curves: Mapping[str, Calibration], images: Images) -> Iterator[Way]:
    """All that is compared, for one kind of noise."""
    straight, curve, path = models.values()
    yield trained_for_it(images)
    yield along(straight, f"the end for {LOW}", lambda sigma: 1.0, images)
    yield along(straight, f"the end for {HIGH}", lambda sigma: 0.0, images)
    yield along(straight, "linear", even, images)
    yield along(straight, "calibrated", curves["straight"].nearest, images)
    yield along(curve, "fitted, linear", even, images)
    yield along(curve, "fitted, calibrated", curves["fitted"].nearest, images)
    yield along(path, "path, alpha = sigma", float, images)
    yield along(path, "path, calibrated", curves["path"].nearest, images)


def told(found: Iterable[Way], curves: Mapping[str, Calibration]) -> dict[str, Any]:
    """Plain data for JSON."""
    found = list(found)
    return {
        "mean_db": {way.name: {str(sigma): way.mean_db(sigma) for sigma in SIGMAS} for way in found},
        "psnr_db": {way.name: {str(sigma): each for sigma, each in way.psnr_db.items()} for way in found},
        "alphas": {way.name: {str(sigma): alpha for sigma, alpha in way.alphas.items()} for way in found},
        "calibrations": {name: curve.to_dict() for name, curve in curves.items()},
    }


@click.command()
@click.option("--steps", default=400, show_default=True, help="Of the fit.")
@click.option("--output", default=RESULTS, type=click.Path(path_type=Path), show_default="benchmarks/results")
def main(steps: int, output: Path) -> None:
    """Write noise_range.json, .md and .png."""
    torch.set_num_threads(1)
    data: dict[str, Any] = {
        "what": "PSNR in dB, mean of the photographs",
        "photographs": [photograph.name for photograph in HELD_OUT],
        "machine": f"One thread; PyTorch {torch.__version__}, Python {platform.python_version()}",
    }
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        clean = clean_photographs(Path(folder) / "clean")
        middle, data["fit"] = fitted(Path(folder), clean, steps)
        files = export(Path(folder), middle)
        models = {n: stack.enter_context(dni_runtime.load(f, "cpu", threads=1)) for n, f in files.items()}
        curves = {name: calibrated_unclipped(model, clean) for name, model in models.items()}
        images = {sigma: pairs(sigma, clipped=False) for sigma in SIGMAS}
        data["not clipped"] = told(ways(models, curves, images), curves)
        curves = {
            name: dni_deploy.calibrate(
                file, clean, noise=LEVELS, output=file.with_stem(f"{name}-calibrated"), threads=1, provider="cpu"
            ).calibration
            for name, file in files.items()
        }
        images = {sigma: pairs(sigma, clipped=True) for sigma in SIGMAS}
        data["clipped"] = told(ways(models, curves, images), curves)
    write(data, output)


if __name__ == "__main__":
    main()
