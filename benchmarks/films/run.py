"""Films: how fast beside the network and FFmpeg alone, at a moving alpha, in how much memory, and what they lose.

    python benchmarks/films/run.py       eight minutes on two cores, nothing else running

writes benchmarks/results/films.json and .md. Needs the `ffmpeg` program of the package imageio-ffmpeg.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import click
import ffmpeg
import footage
import losses
import memory
import scenes
import speeds
from page import markdown

from dni_deploy.bench.approaches.baked import write_baked
from dni_deploy.bench.measuring.hardware import hardware
from dni_deploy.bench.table import machine
from dni_deploy.demo import EXPORTED

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "photographs"))
from returning import returning

RESULTS = Path(__file__).resolve().parents[1] / "results"
ROUNDS = 3


def prepare(folder: Path) -> speeds.Files:
    network = folder / "returning.onnx"
    network.write_bytes(returning().SerializeToString())
    baked = write_baked(EXPORTED, (speeds.ALPHA,), folder / "baked.onnx")
    return speeds.Files(EXPORTED, baked, network, footage.grainy(folder / "film.mp4"), folder)


def measure(folder: Path, rounds: int) -> dict[str, Any]:
    files = prepare(folder)
    return {
        "machine": machine(hardware()),
        "ffmpeg": ffmpeg.version(),
        "pyav": version("av"),
        "size": footage.SIZE,
        "grain": footage.GRAIN,
        "frames": footage.RATE * footage.SECONDS,
        "sampled_frames": losses.FRAMES,
        "rounds": speeds.measure(files, rounds),
        "busy": median(speeds.busy(files) for _ in range(rounds)),
        "peaks_mb": {str(frames): peak for frames, peak in memory.peaks_mb(files.model, folder).items()},
        "sigmas": scenes.SIGMAS,
        "scenes": _told(scenes.measure(folder)),
        "charts": _told(losses.charts(files.returning, folder)),
        "samplings": _told(losses.samplings(files.returning, folder)),
        "codecs": _told(losses.codecs(files.returning, files.film, folder)),
    }


def _told(rows: Any) -> Sequence[dict[str, Any]]:
    found = []
    for row in rows:
        click.echo(row, err=True)
        found.append(asdict(row))
    return found


@click.command()
@click.option("--rounds", default=ROUNDS, show_default=True, type=click.IntRange(min=1))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=RESULTS, help="The folder to write to.")
def main(rounds: int, output: Path) -> None:
    """Write films.json and films.md."""
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        data = json.loads(json.dumps(measure(Path(folder), rounds)), parse_float=lambda text: round(float(text), 6))
    (output / "films.json").write_text(json.dumps(data, indent=1) + "\n")
    (output / "films.md").write_text(markdown(data))
    click.echo(markdown(data))


if __name__ == "__main__":
    main()
