"""Measure what blending the demo pair's weights gives, on photographs that training never saw.

For every noise level and every alpha the weights are blended, `alpha * weak + (1 - alpha) * strong`, and
the blend cleans every held-out photograph. PSNR is taken on outputs clipped to 0..1; the noise itself is not
clipped, and is the same for every network.

    python benchmarks/demo_pair/evaluate.py

exits with 1 when something that is claimed of the pair does not hold.
"""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
import numpy as np
import report
import safetensors.torch
import torch
from photographs import HELD_OUT, noisy
from train import RECIPES, Pixels, network

RESULTS = Path(__file__).resolve().parents[1] / "results"
SIGMAS = (15, 20, 25, 30, 40, 50)
YARDSTICKS = {25: "sigma25", 30: "sigma30"}
LEAST_GAIN_DB = 1.2
MOST_GAP_DB = 0.3
SLACK_DB = 0.05

State = Mapping[str, torch.Tensor]


@dataclass(slots=True)
class Curve:
    """PSNR in dB at one noise level, averaged and of each photograph."""

    sigma: int
    alphas: list[float]
    psnr_db: dict[str, list[float]] = field(default_factory=dict)
    """photograph -> one value for every alpha"""
    trained_db: dict[str, float] = field(default_factory=dict)
    """photograph -> the network trained for this noise, where there is one"""

    def mean_db(self) -> list[float]:
        return [float(np.mean(values)) for values in zip(*self.psnr_db.values(), strict=True)]

    def trained_mean_db(self) -> float | None:
        return float(np.mean(list(self.trained_db.values()))) if self.trained_db else None

    def summary(self) -> dict[str, Any]:
        return asdict(self) | {"mean_db": self.mean_db(), "trained_mean_db": self.trained_mean_db()}


def blend(weak: State, strong: State, alpha: float) -> dict[str, torch.Tensor]:
    return {key: alpha * weak[key] + (1 - alpha) * strong[key] for key in weak}


@torch.inference_mode()
def psnr_db(model: torch.nn.Module, clean: torch.Tensor, noised: torch.Tensor) -> float:
    """Both (1, 3, H, W) in 0..1."""
    error = model(noised).clamp(0, 1) - clean
    return float(-10 * torch.log10(error.square().mean()))


def as_tensor(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]


def measure(sigma: int, alphas: list[float], states: Mapping[str, State]) -> Curve:
    """The curve of one noise level, over all held-out photographs."""
    curve, model = Curve(sigma, alphas), network().eval()
    images = {
        photograph.name: (as_tensor(photograph.pixels()), as_tensor(noisy(photograph.pixels(), sigma, seed)))
        for seed, photograph in enumerate(HELD_OUT)
    }
    curve.psnr_db = {name: [] for name in images}
    for alpha in alphas:
        model.load_state_dict(blend(states["weak"], states["strong"], alpha))
        for name, (clean, noised) in images.items():
            curve.psnr_db[name].append(psnr_db(model, clean, noised))
    if sigma in YARDSTICKS:
        model.load_state_dict(states[YARDSTICKS[sigma]])
        curve.trained_db = {name: psnr_db(model, *pair) for name, pair in images.items()}
    return curve


def claims(curves: list[Curve]) -> dict[str, bool]:
    """What is said of the pair, and whether the averages bear it out."""
    best = {c.sigma: c.alphas[int(np.argmax(c.mean_db()))] for c in curves}
    order = [best[sigma] for sigma in sorted(best)]
    held = {"the best alpha never rises as noise rises": order == sorted(order, reverse=True)}
    weakest, strongest = curves[0].mean_db(), curves[-1].mean_db()
    lost = max(max(weakest) - weakest[-1], max(strongest) - strongest[0])
    held[f"no blend beats an endpoint at its own noise by over {SLACK_DB} dB"] = lost <= SLACK_DB
    for curve in curves:
        trained = curve.trained_mean_db()
        if trained is None:
            continue
        mean = curve.mean_db()
        gain = max(mean) - max(mean[0], mean[-1])
        gap = trained - max(mean)
        at = f"at sigma {curve.sigma} the best blend"
        held[f"{at} beats both endpoints by {LEAST_GAIN_DB} dB or more"] = gain >= LEAST_GAIN_DB
        held[f"{at} comes within {MOST_GAP_DB} dB of the network trained for it"] = gap <= MOST_GAP_DB
    return held


@click.command()
@click.option("--step", default=0.05, show_default=True, help="Distance between alphas.")
@click.option("--threads", default=1, show_default=True, help="Threads for PyTorch.")
@click.option("--output", default=RESULTS, type=click.Path(path_type=Path), show_default="benchmarks/results")
def main(step: float, threads: int, output: Path) -> None:
    """Write demo_pair.json, .md and .png, and check what is claimed of the pair."""
    torch.set_num_threads(threads)
    alphas = [round(float(a), 4) for a in np.linspace(0, 1, round(1 / step) + 1)]
    states = {name: safetensors.torch.load_file(recipe.file) for name, recipe in RECIPES.items()}
    curves = []
    for sigma in SIGMAS:
        curves.append(measure(sigma, alphas, states))
        mean = curves[-1].mean_db()
        click.echo(f"sigma {sigma}: best alpha {alphas[int(np.argmax(mean))]}, {max(mean):.2f} dB", err=True)

    held = claims(curves)
    summary = {
        "what": "PSNR in dB of alpha * weak + (1 - alpha) * strong on held-out photographs",
        "endpoints": {"weak": RECIPES["weak"].sigma, "strong": RECIPES["strong"].sigma},
        "sha256": {name: sha256(recipe.file.read_bytes()).hexdigest() for name, recipe in RECIPES.items()},
        "photographs": [photograph.name for photograph in HELD_OUT],
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "claims": held,
        "curves": [curve.summary() for curve in curves],
    }
    output.mkdir(parents=True, exist_ok=True)
    (output / "demo_pair.json").write_text(json.dumps(report.rounded(summary), indent=1) + "\n")
    (output / "demo_pair.md").write_text(report.markdown(report.rounded(summary)))
    report.plot(summary, output / "demo_pair.png")
    for claim, holds in held.items():
        click.echo(f"{'holds' if holds else 'DOES NOT HOLD'}: {claim}", err=True)
    if not all(held.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
