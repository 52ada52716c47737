"""From the start of a process to its first picture: ours beside plain onnxruntime with a file baked for one alpha.

    python benchmarks/start_up/run.py            three minutes on two cores, nothing else running; the files take more
    python benchmarks/start_up/run.py --rounds 3 does it work?

Every picture is made by a new process, in random order: plain onnxruntime with the baked file, ours where the model was
prepared before ("warm": the cache folder has it), and ours with an empty cache folder ("cold"). Files are read before,
so that none waits for the disk. Results are compared first. Writes benchmarks/results/start_up.json and .md; exits 1
where a bound does not hold.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

from dni_deploy.bench.approaches.baked import write_baked
from dni_deploy.bench.measuring.hardware import Hardware, hardware
from dni_deploy.bench.table import machine

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results"
SIZE = 32
BOUND = 1.2
"""Of plain onnxruntime's time, for a model that is known."""
_TOLERANCE = 1e-5
_COLD_ROUNDS = 5


def files_in(folder: Path) -> dict[str, Path]:
    """The alpha-input files, made where they are not there."""
    found = {"Real-CUGAN 2x (1.3 M)": folder / "cugan.onnx", "RRDBNet-23 x4 (16.7 M)": folder / "rrdb.onnx"}
    if all(path.exists() for path in found.values()):
        return found
    sys.path[:0] = [str(HERE.parent / "real_pairs"), str(HERE.parent / "alpha_is_free")]
    from four_networks import NETWORKS, write_files
    from published import FAMILIES, Pair, fetch, write_checkpoints

    import dni_deploy

    cugan, rrdb = found.values()
    if not cugan.exists():
        write_checkpoints(fetch(folder), folder)
        pair = Pair(FAMILIES[0], "denoise1x", "no-denoise")
        dni_deploy.export(pair.files(folder), cugan, alpha_input=True, arch=pair.family.arch)
    if not rrdb.exists():
        write_files(NETWORKS["RRDBNet-23"].build, folder / "rrdb").model.rename(rrdb)
    return found


def picture(way: str, file: Path, cache: Path, output: Path | None = None) -> tuple[float, int]:
    """Seconds until it is there, and the process's largest memory in KiB."""
    command = [
        sys.executable,
        str(HERE / "first_picture.py"),
        way,
        str(file),
        str(SIZE),
        *([str(output)] if output else []),
    ]
    start = time.perf_counter()
    environment = {**os.environ, "DNI_CACHE_DIR": str(cache)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        there = process.stdout.readline()
        seconds = time.perf_counter() - start
        rest = process.stdout.read()
    if there != "there\n" or process.returncode:
        raise click.ClickException(f"{way} made no picture of {file}")
    return seconds, int(rest)


def measure(file: Path, folder: Path, rounds: int) -> dict[str, Any]:
    """Seconds of every way in every round, and the largest memory."""
    baked, warm = folder / "baked.onnx", folder / "warm"
    write_baked(file, (0.3,), baked)
    warm.mkdir(mode=0o700)
    made = [folder / f"{way}.npy" for way in ("plain", "ours")]
    for way, source, output in zip(("plain", "ours"), (baked, file), made, strict=True):
        picture(way, source, warm, output)
    wanted, got = map(np.load, made)
    difference = float(np.abs(wanted - got).max()) / max(1.0, float(np.abs(wanted).max()))
    if not difference <= _TOLERANCE:
        raise click.ClickException(f"{file.name}: the pictures differ by {difference:.1e}")
    seconds: dict[str, list[float]] = {"plain": [], "warm": [], "cold": []}
    memory = dict.fromkeys(seconds, 0)
    for number in range(rounds):
        ways = ["plain", "warm", *(["cold"] if number < _COLD_ROUNDS else [])]
        random.shuffle(ways)
        for way in ways:
            with tempfile.TemporaryDirectory() as empty:
                cache = Path(empty) if way == "cold" else warm
                taken, peak = picture("plain" if way == "plain" else "ours", baked if way == "plain" else file, cache)
            seconds[way].append(taken)
            memory[way] = max(memory[way], peak)
    return {"difference": difference, "seconds": seconds, "memory_kib": memory}


def ratios(row: dict[str, Any], way: str) -> list[float]:
    """Quartiles of the paired ratios to plain onnxruntime: lower, median, upper."""
    paired = [ours / plain for ours, plain in zip(row["seconds"][way], row["seconds"]["plain"], strict=False)]
    return statistics.quantiles(paired, n=4, method="inclusive")


def page(rows: dict[str, dict[str, Any]], on: Hardware) -> str:
    """What is in the JSON, for people."""
    lines = [
        "# From the start to the first picture",
        "",
        machine(on),
        "",
        "Milliseconds from starting a process to its first picture, 32 x 32 pixels, interpreter and imports included:",
        "plain onnxruntime with a file baked for one alpha, ours with a model that was prepared before on this machine",
        "(warm), and ours at the first load (cold). Medians; ratios are those of one round, quartiles in brackets.",
        "No result differs by more than 1e-5. Memory is the largest that the process had, mapped files included.",
        "",
        "| network | | ms | of plain | memory, MiB |",
        "|---|---|---:|---:|---:|",
    ]
    for name, row in rows.items():
        for way, title in (("plain", "plain onnxruntime, baked"), ("warm", "ours, warm"), ("cold", "ours, cold")):
            low, middle, high = ratios(row, way)
            lines.append(
                f"| {name} | {title} | {1000 * statistics.median(row['seconds'][way]):.0f} "
                f"| {middle:.2f} ({low:.2f}..{high:.2f}) | {row['memory_kib'][way] / 1024:.0f} |"
            )
    lines += ["", f"Bound: warm at most {BOUND} of plain onnxruntime.", ""]
    for name, row in rows.items():
        ratio = ratios(row, "warm")[1]
        lines.append(f"- {name}: {ratio:.2f}, {'holds' if ratio <= BOUND else '**does not hold**'}")
    return "\n".join([*lines, ""])


@click.command()
@click.option("--rounds", default=30, show_default=True, help="Of each way but cold, of which there are 5.")
@click.option("--files", type=click.Path(path_type=Path), help="A folder to keep the models in.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=RESULTS, help="The folder of the results.")
def main(rounds: int, files: Path | None, output: Path) -> None:
    """Measure, and exit 1 where a bound does not hold."""
    rows = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name, file in files_in(files or Path(temporary)).items():
            with tempfile.TemporaryDirectory() as folder:
                rows[name] = measure(file, Path(folder), rounds)
    on = hardware()
    (output / "start_up.json").write_text(json.dumps({"hardware": asdict(on), "networks": rows}, indent=1) + "\n")
    (output / "start_up.md").write_text(page(rows, on))
    raise SystemExit(any(ratios(row, "warm")[1] > BOUND for row in rows.values()))


if __name__ == "__main__":
    main()
