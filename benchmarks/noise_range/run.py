"""What the middle of a wide range of noise costs: one slider from sigma 15 to 75, beside a network for each level.

HyperRes' repository says that Deep Network Interpolation loses more than 1.9 dB to networks that were trained for the
level, in the middle of sigma 15 to 75 (CBSD68). Here the same question is asked of the bundled network: its end for
15, and one fine-tuned from it to 75 (networks.py). Whatever is between them is held against a network that was
fine-tuned for the level with the same recipe:

    linear      alpha falls evenly from 1 at sigma 15 to 0 at 75
    calibrated  the alpha that `dni calibrate` finds for the level, on the photographs that trained the networks
    fitted      along the curve around the middle that `dni fit` learns, evenly and calibrated
    path        through the network for 50 as well (`dni-export --path --at 15,50,75`), where alpha is the sigma itself

    python benchmarks/noise_range/run.py            # a quarter of an hour on one core

PSNR is taken as in benchmarks/demo_pair: on outputs clipped to 0..1, of noise that is not clipped.
"""

import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
from dni_runtime import Calibration, Model

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo_pair"))
from networks import HIGH, LOW, YARDSTICKS
from photographs import HELD_OUT, TRAINING, noisy
from train import network

RESULTS = Path(__file__).resolve().parents[1] / "results"
SIGMAS = tuple(YARDSTICKS)
LEVELS = [15, 20, 25, 30, 40, 50, 60, 70, 75]
MIDDLE = 50
PUBLISHED_DB = 1.9

FloatArray = NDArray[np.float32]
Pair = tuple[FloatArray, FloatArray]


@dataclass(slots=True)
class Way:
    """One way to get from a level to a picture; `psnr_db`: for each sigma, of each photograph."""

    name: str
    alpha: Callable[[float], float] | None = None
    alphas: dict[int, float] = field(default_factory=dict)
    psnr_db: dict[int, list[float]] = field(default_factory=dict)

    def mean_db(self, sigma: int) -> float:
        return float(np.mean(self.psnr_db[sigma]))


def pairs(sigma: int) -> list[Pair]:
    """Clean and noisy, (1, 3, H, W) in 0..1."""

    def batch(pixels: FloatArray) -> FloatArray:
        return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])

    clean = [photograph.pixels() for photograph in HELD_OUT]
    return [(batch(each), batch(noisy(each, sigma, seed))) for seed, each in enumerate(clean)]


def psnr_db(result: FloatArray, clean: FloatArray) -> float:
    error = np.square(result.clip(0, 1).astype(np.float64) - clean).mean()
    return float(-10 * np.log10(error))


def measure(way: Way, run: Callable[[FloatArray, int], FloatArray], images: Mapping[int, list[Pair]]) -> Way:
    for sigma, each in images.items():
        way.psnr_db[sigma] = [psnr_db(run(spoiled, sigma), clean) for clean, spoiled in each]
    return way


def along(model: Model, name: str, alpha: Callable[[float], float], images: Mapping[int, list[Pair]]) -> Way:
    way = Way(name, alpha, {sigma: alpha(sigma) for sigma in images})
    return measure(way, lambda x, sigma: model(x, way.alphas[sigma]), images)


@torch.inference_mode()
def trained_for_it(images: Mapping[int, list[Pair]]) -> Way:
    nets = {}
    for sigma, file in YARDSTICKS.items():
        nets[sigma] = network().eval()
        nets[sigma].load_state_dict(safetensors.torch.load_file(file))
    return measure(Way("trained for it"), lambda x, sigma: nets[sigma](torch.from_numpy(x)).numpy(), images)


def even(sigma: float) -> float:
    return (HIGH - sigma) / (HIGH - LOW)


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


def ways(folder: Path, steps: int, images: Mapping[int, list[Pair]]) -> tuple[list[Way], dict[str, Any]]:
    clean = clean_photographs(folder / "clean")
    ends = [YARDSTICKS[LOW], YARDSTICKS[HIGH]]
    middle, said = fitted(folder, clean, steps)
    files = {"straight": folder / "straight.onnx", "curve": folder / "curve.onnx", "path": folder / "path.onnx"}
    dni_deploy.export(ends, files["straight"], alpha_input=True)
    dni_deploy.export(ends, files["curve"], alpha_input=True, through=[middle], curve=True)
    through = [YARDSTICKS[LOW], YARDSTICKS[MIDDLE], YARDSTICKS[HIGH]]
    dni_deploy.export(through, files["path"], alpha_input=True, path=True, at=[LOW, MIDDLE, HIGH])
    curves: dict[str, Calibration] = {}
    for name, file in files.items():
        curves[name] = dni_deploy.calibrate(file, clean, noise=LEVELS, threads=1, provider="cpu").calibration
        click.echo(f"{name}: {curves[name].alphas}", err=True)
    found = [trained_for_it(images)]
    with dni_runtime.load(files["straight"], "cpu", threads=1) as model:
        found += [along(model, f"the end for {end}", lambda _, a=alpha: a, images) for end, alpha in ((15, 1), (75, 0))]  # type: ignore[misc]
        found.append(along(model, "linear", even, images))
        found.append(along(model, "calibrated", curves["straight"].nearest, images))
    with dni_runtime.load(files["curve"], "cpu", threads=1) as model:
        found.append(along(model, "fitted, linear", even, images))
        found.append(along(model, "fitted, calibrated", curves["curve"].nearest, images))
    with dni_runtime.load(files["path"], "cpu", threads=1) as model:
        found.append(along(model, "path, alpha = sigma", float, images))
        found.append(along(model, "path, calibrated", curves["path"].nearest, images))
    return found, {"fit": said, "calibrations": {name: curve.to_dict() for name, curve in curves.items()}}


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---:"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def markdown(data: Mapping[str, Any]) -> str:
    mean: Mapping[str, Mapping[str, float]] = data["mean_db"]
    own = mean["trained for it"]
    names = [name for name in mean if name != "trained for it"]
    below = [
        [sigma, f"{own[sigma]:.2f}", *(f"{mean[name][sigma] - own[sigma]:+.2f}" for name in names)] for sigma in own
    ]
    alphas = [[s, *(f"{data['alphas'][name][s]:g}" for name in names)] for s in own]
    worst = {name: min(mean[name][sigma] - own[sigma] for sigma in own) for name in names}
    fit = data["fit"]
    best = worst["calibrated"]
    held = "holds here, too" if worst["linear"] <= -PUBLISHED_DB else "does not hold here"
    return f"""# One slider from sigma 15 to 75

Of Deep Network Interpolation it is said that in the middle of noise from sigma 15 to 75 it loses more than
{PUBLISHED_DB} dB to networks that were trained for the level (HyperRes' repository, CBSD68). The question, asked of the
bundled network: PSNR in dB below a network that was fine-tuned for the level with the same recipe, mean of
{len(data["photographs"])} photographs that nobody trained on ({", ".join(data["photographs"])}). At 15, 50 and 75 that
network is an end, or a knot of the path.

- With **alpha linear in sigma** the most that is lost is {-worst["linear"]:.2f} dB: what is said {held}.
- With **alpha calibrated** (`dni calibrate`) it is {-best:.2f} dB.
- Along **the fitted curve** (`dni fit`, {fit["steps"]} steps) it is {-worst["fitted, linear"]:.2f} dB linear and
  {-worst["fitted, calibrated"]:.2f} dB calibrated. A fit learns the *mix* of what both ends make; of one noise level
  that is not what the best network makes.
- **A path through the network for {MIDDLE}**, where alpha is the sigma itself: {-worst["path, alpha = sigma"]:.2f} dB,
  and calibrated {-worst["path, calibrated"]:.2f} dB.

![dB below the network for the level](noise_range.png)

## dB beside the network that was trained for it

{table(["sigma", "trained for it", *names], below)}
## At which alpha

{table(["sigma", *names], alphas)}
## The fit

{fit["steps"]} steps in {fit["cpu_s"]:.0f} s of one core; {fit["stopped"]}. Least PSNR to the mix of both ends'
pictures, on crops that were held out: {fit["straight"]["to_mix_db"]:.1f} dB on the straight line,
{fit["curve"]["to_mix_db"]:.1f} dB on the curve.

All networks: Compact, 32 features, 8 convolutions, 76,035 parameters; those that are fine-tuned have 2,500 steps, none
is trained to its limit. {data["machine"]}. Measured by `benchmarks/noise_range/run.py`; all values are in
`noise_range.json`.
"""


def plot(data: Mapping[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    mean, own = data["mean_db"], data["mean_db"]["trained for it"]
    sigmas = [int(sigma) for sigma in own]
    styles = {"linear": ":", "calibrated": "-", "fitted, linear": ":", "fitted, calibrated": "-",
              "path, alpha = sigma": ":", "path, calibrated": "-"}  # fmt: skip
    colours = {"l": "tab:blue", "c": "tab:blue", "f": "tab:orange", "p": "tab:green"}
    figure, axes = plt.subplots(figsize=(8, 4.6), layout="constrained")
    axes.axhline(0, color="0.4", lw=1)
    axes.annotate("a network for each level", (sigmas[-1], 0.03), ha="right", color="0.4", fontsize=9)
    for name, style in styles.items():
        lost = [mean[name][str(sigma)] - own[str(sigma)] for sigma in sigmas]
        axes.plot(sigmas, lost, style, color=colours[name[0]], marker="o", ms=4, label=name)
    axes.set_xlabel("sigma of the noise, of 255")
    axes.set_ylabel("dB beside the network that was trained for it")
    axes.set_title("One slider from sigma 15 to 75", loc="left")
    axes.grid(color="0.92")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, ncols=3, fontsize=9)
    figure.savefig(path, dpi=130)
    plt.close(figure)


@click.command()
@click.option("--steps", default=400, show_default=True, help="Of the fit.")
@click.option("--output", default=RESULTS, type=click.Path(path_type=Path), show_default="benchmarks/results")
def main(steps: int, output: Path) -> None:
    """Write noise_range.json, .md and .png."""
    torch.set_num_threads(1)
    images = {sigma: pairs(sigma) for sigma in SIGMAS}
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        found, said = ways(Path(folder), steps, images)
    data = {
        "what": "PSNR in dB, mean of the photographs",
        "photographs": [photograph.name for photograph in HELD_OUT],
        "mean_db": {way.name: {str(sigma): way.mean_db(sigma) for sigma in SIGMAS} for way in found},
        "psnr_db": {way.name: way.psnr_db for way in found},
        "alphas": {way.name: {str(sigma): alpha for sigma, alpha in way.alphas.items()} for way in found},
        **said,
        "machine": f"One thread; PyTorch {torch.__version__}, Python {platform.python_version()}",
        "cpu_s": time.process_time() - started,
    }
    rounded = json.loads(json.dumps(data), parse_float=lambda text: round(float(text), 3))
    (output / "noise_range.json").write_text(json.dumps(rounded, indent=1) + "\n")
    (output / "noise_range.md").write_text(markdown(rounded))
    plot(rounded, output / "noise_range.png")


if __name__ == "__main__":
    main()
