"""What small files save and cost: size, error and speed of every way to store two endpoints.

Every file is made by `dni-export A B --alpha-input` with the options that its name says, and runs in the runtime.
Errors are those of the output on a photograph against PyTorch in float32, at alpha 0, 0.1 .. 1. Speeds are
medians of ratios to the float32 file, taken in turns, one thread.

Pairs:

  demo        the bundled denoisers, 76,035 parameters, trained; the whole photograph
  Compact     Real-ESRGAN's network, 64 features, 32 convolutions, scale 4; untrained: weights at random (He et al.,
              which keeps the signal's size through all layers; a tenth of that in the last one, so that it adds to the
              enlarged image what details measure), the difference a tenth of their spread; a piece of the photograph

  python benchmarks/delta/run.py            writes benchmarks/results/delta.json and .md; some minutes
"""

import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from spandrel import ModelLoader
from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact
from torch import nn

import dni_runtime
from dni_deploy.bench.measuring.hardware import hardware
from dni_deploy.bench.measuring.race import Effort, race
from dni_deploy.demo import PHOTOGRAPH_NOISY, STRONG, WEAK
from dni_deploy.image_files.read_write import read_image
from dni_exporters import blend_tensors, export

RESULTS = Path(__file__).resolve().parents[1] / "results"
VARIANTS: dict[str, dict[str, Any]] = {
    "float32": {},
    "--delta float16": {"delta": "float16"},
    "--delta int8": {"delta": "int8"},
    "--dtype float16": {"dtype": "float16"},
    "--dtype float16 --delta int8": {"dtype": "float16", "delta": "int8"},
}
ALPHAS = [round(0.1 * step, 1) for step in range(11)]
# Two steps of 8 bits: the goal for the largest error on the photograph.
GOAL = 2 / 255

FloatArray = NDArray[np.float32]
Weights = dict[str, torch.Tensor]


def demo_pair() -> tuple[nn.Module, list[Weights], FloatArray]:
    networks = [ModelLoader(device="cpu").load_from_file(path).model.eval() for path in (WEAK, STRONG)]
    return networks[0], [dict(network.state_dict()) for network in networks], _photograph(300, 451)


def compact_pair() -> tuple[nn.Module, list[Weights], FloatArray]:
    torch.manual_seed(0)
    network = SRVGGNetCompact(num_in_ch=3, num_out_ch=3, num_feat=64, num_conv=32, upscale=4).eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, a=0.25)
    with torch.no_grad():
        network.body[-1].weight *= 0.1
    b = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    a = {name: t + 0.1 * t.std(correction=0) * torch.randn_like(t) for name, t in b.items()}
    return network, [a, b], _photograph(96, 96)


def _photograph(height: int, width: int) -> FloatArray:
    image = read_image(PHOTOGRAPH_NOISY)[:height, :width]
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32) / np.float32(255)


def measure(pair: Callable[[], tuple[nn.Module, list[Weights], FloatArray]], seconds: float) -> list[dict[str, Any]]:
    network, endpoints, photograph = pair()
    references = [_pytorch(network, endpoints, alpha, photograph) for alpha in ALPHAS]
    tile = photograph[..., :96, :96]
    rows, models, entries = [], {}, {}
    one_endpoint_bytes = 4 * sum(tensor.numel() for tensor in endpoints[0].values())
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, options) in enumerate(VARIANTS.items()):
            path = Path(folder) / f"{number}.onnx"
            report = export(endpoints, path, alpha_input=True, arch=network, **options)
            model = models[name] = dni_runtime.load(path, "cpu", threads=1)
            outputs = [model(photograph, alpha) for alpha in ALPHAS]
            pairs = list(zip(outputs, references, strict=True))
            peak = max(1.0, *(float(np.abs(reference).max()) for reference in references))
            rows.append(
                {
                    "variant": name,
                    "bytes": report.files[0].bytes,
                    "of_one_endpoint": report.files[0].bytes / one_endpoint_bytes,
                    "parity": max(parity.error for parity in report.files[0].parity),
                    "error_by_alpha": {a: float(np.abs(o - r).max()) for a, (o, r) in zip(ALPHAS, pairs, strict=True)},
                    "largest_output": peak,
                    "psnr_db": min(_psnr_db(o, r) for o, r in pairs),
                    "alpha_note": model.alpha_note,
                }
            )
        for name, model in models.items():
            model(tile, 0.5)
            model.settle()
            entries[f"held {name}"] = _timed(model, tile, lambda: 0.5)
            entries[f"moving {name}"] = _timed(model, tile, random.Random(0).random)
        rounds = race(entries, list(entries), Effort(seconds, rounds=200, fewest=5), random.Random(1))
        for row in rows:
            for kind in ("held", "moving"):
                ratios = [r[f"{kind} {row['variant']}"] / r["held float32"] for r in rounds]
                row[f"{kind}_ratio"] = statistics.median(ratios)
                row[f"{kind}_ms"] = 1e3 * statistics.median(r[f"{kind} {row['variant']}"] for r in rounds)
        for model in models.values():
            model.close()
    return rows


def _timed(model: dni_runtime.Model, x: FloatArray, alpha: Callable[[], float]) -> Callable[[], float]:
    def call() -> float:
        value = alpha()
        started = time.perf_counter()
        model(x, value)
        return time.perf_counter() - started

    return call


def _pytorch(network: nn.Module, endpoints: list[Weights], alpha: float, x: FloatArray) -> FloatArray:
    network.load_state_dict(blend_tensors(endpoints, [alpha, 1 - alpha]))
    with torch.inference_mode():
        result: FloatArray = network(torch.from_numpy(x)).numpy()
    return result


def _psnr_db(image: FloatArray, reference: FloatArray) -> float:
    """Peak 1."""
    return -10 * float(np.log10(max(np.square(image.astype(np.float64) - reference).mean(), 1e-20)))


def page(results: dict[str, Any]) -> str:
    machine = results["hardware"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    lines = [
        "# What small files save and cost",
        "",
        f"{machine['processor']}, {machine['cores']} cores, {versions}; one thread. Load of the machine afterwards: "
        f"{results['load']:.0f} (above the number of cores, other work was going on, and speeds are rough).",
        "",
        "Two endpoints in one file. Error: the largest on a noisy photograph at alpha 0, 0.1 .. 1 against PyTorch in",
        "float32, output 0..1, in steps of 8 bits (1/255); PSNR: the least of them. Speed: time of a call relative to",
        "that of the float32 file with alpha held; `moving`: a new alpha with every call. How it is measured, and on",
        "which weights: [run.py](../delta/run.py).",
        "",
        "| pair | file | MB | of one float32 endpoint | error, steps | PSNR | held | moving |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for pair, rows in results["pairs"].items():
        for row in rows:
            error = max(row["error_by_alpha"].values())
            lines.append(
                f"| {pair} | {row['variant']} | {row['bytes'] / 1e6:.2f} | {row['of_one_endpoint']:.2f} | "
                f"{255 * error:.2f} | {row['psnr_db']:.0f} dB | {row['held_ratio']:.2f} | {row['moving_ratio']:.2f} |"
            )
    return "\n".join([*lines, ""])


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="Of timing, for each pair.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(seconds: float, output: Path) -> None:
    """Measure all variants of both pairs; exit 1 where int8 misses the goal of 2/255 or of one endpoint's size."""
    torch.set_num_threads(1)
    pairs = {}
    for name, pair in (("demo", demo_pair), ("Compact", compact_pair)):
        click.echo(f"{name} ...", err=True)
        pairs[name] = measure(pair, seconds)
    results = {"hardware": asdict(hardware()), "load": os.getloadavg()[2], "goal": GOAL, "pairs": pairs}
    output.mkdir(parents=True, exist_ok=True)
    (output / "delta.json").write_text(json.dumps(results, indent=1) + "\n")
    text = page(results)
    (output / "delta.md").write_text(text)
    click.echo(text)
    for name, rows in pairs.items():
        (row,) = (row for row in rows if row["variant"] == "--delta int8")
        error = max(row["error_by_alpha"].values())
        if error > GOAL or row["of_one_endpoint"] > 1:
            raise click.ClickException(f"{name}: error {error:.4f}, {row['of_one_endpoint']:.2f} of one endpoint")


if __name__ == "__main__":
    main()
