"""`enhance` of images from 0.1 to 100 megapixels: its time beside the network's own, its memory, and its tiles.

    python benchmarks/large/run.py                        half an hour on two cores, nothing else running
    python benchmarks/large/run.py --only photo --most 2  one network, up to 2 megapixels
    python benchmarks/large/run.py --most 100             100 megapixels with the quickest network as well, 10 minutes

Published networks, images of noise as uint8, a new process for each. `own` is what the network itself takes for a tile,
the quickest of three calls, times the number of tiles: of a network that looks at averages the passes that measure them
come on top. With --tiles the same image in tiles of other sizes, each for as long as one column of tiles takes. Goes on
where it was stopped. Writes benchmarks/results/large.jsonl and .md.
"""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from dni_deploy.bench.measuring.hardware import hardware
from dni_deploy.bench.table import machine

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results"
# Megapixels, height and width.
SIZES = {0.1: (274, 365), 2.0: (1224, 1632), 12.0: (3000, 4000), 100.0: (8660, 11547)}
TILES = (128, 192, 256, 320, 384, 448, 512, 640, 768)
QUICK = ("photo",)
"""Networks for 100 megapixels."""
_PATIENCE_S = 3600


def measure(file: Path, megapixels: float, tile: int | None) -> dict[str, Any]:
    """A line of the results."""
    height, width = SIZES[megapixels]
    asked = json.dumps({"file": str(file), "height": height, "width": width, "tile": tile})
    made = subprocess.run(
        [sys.executable, str(HERE / "one_image.py"), asked], stdout=subprocess.PIPE, timeout=_PATIENCE_S, check=True
    )
    return {"network": file.stem, "megapixels": megapixels, "asked": tile, **json.loads(made.stdout)}


def page(lines: list[dict[str, Any]]) -> str:
    """What is in the JSON, for people."""
    text = [
        "# Images from 0.1 to 100 megapixels",
        "",
        lines[0]["machine"],
        "",
        "`enhance` of one image of noise (uint8, RGB), 2 threads: seconds in all, and beside what the network itself",
        "takes for as many tiles; pixels computed beside those of the image; the largest memory of the process. A tile",
        "that was asked for is in brackets, the others are the automatic ones. Networks that look at averages over the",
        "image (cugan, cunet) measure them in passes of their own over all tiles.",
        "",
        "| network | megapixels | tiles | seconds | of the network's own | pixels | memory, MiB |",
        "|---|---:|---|---:|---:|---:|---:|",
    ]
    for row in lines:
        rows, columns = row["count"]
        tiles = f"{rows} x {columns} of {row['tile'][0]} x {row['tile'][1]}"
        text.append(
            f"| {row['network']} | {row['megapixels']:g} | {f'({tiles})' if row['asked'] is not None else tiles} "
            f"| {row['seconds']:.2f} | {row['seconds'] / row['own_seconds']:.2f} | {row['computed']:.2f} "
            f"| {row['memory_mib']:.0f} |"
        )
    return "\n".join([*text, ""])


@click.command()
@click.option("--files", type=click.Path(path_type=Path), required=True, help="The folder of the alpha-input files.")
@click.option("--only", multiple=True, default=("photo", "cunet", "cugan"), show_default=True, help="Names of files.")
@click.option("--most", default=12.0, show_default=True, help="Megapixels, at most.")
@click.option("--tiles", is_flag=True, help="Other tiles, too, for 2 megapixels.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=RESULTS, help="The folder of the results.")
def main(files: Path, only: tuple[str, ...], most: float, tiles: bool, output: Path) -> None:
    """Measure what is not in the results yet, and write the page."""
    raw, on = output / "large.jsonl", hardware()
    lines = [json.loads(line) for line in raw.read_text().splitlines()] if raw.exists() else []
    done = {(row["network"], row["megapixels"], row["asked"]) for row in lines}
    jobs = [(n, m, None) for m in SIZES for n in only if m <= most and (m < 100 or n in QUICK)]
    jobs += [(name, 2.0, tile) for tile in TILES for name in only if tiles]
    for name, megapixels, tile in jobs:
        if (name, megapixels, tile) in done:
            continue
        row = measure(files / f"{name}.onnx", megapixels, tile) | {"machine": machine(on), "hardware": asdict(on)}
        click.echo(f"{name} {megapixels:g} MP, tile {tile}: {row['seconds']:.2f} s, {row['memory_mib']:.0f} MiB")
        lines.append(row)
        with raw.open("a") as opened:
            opened.write(json.dumps(row) + "\n")
    lines.sort(key=lambda row: (row["network"], row["megapixels"], row["asked"] or 0))
    (output / "large.md").write_text(page(lines))


if __name__ == "__main__":
    main()
