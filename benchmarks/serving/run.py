"""Serving: what batching gains, what the way through a server costs, and whether its memory stays.

    python benchmarks/serving/run.py            about 20 minutes on two cores, nothing else running
    python benchmarks/serving/run.py --quick    does it work? The numbers mean nothing, and are not kept

writes benchmarks/results/serving.json, .md and .png; exits 1 where a bound does not hold.
"""

import json
import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import click
from batching import Effort, measure_batching
from bounds import check_bounds
from networks import COMPACT, SMALL, TINY, write_network
from overhead import measure_overhead
from page import bounds_table, page
from plots import plot
from server import serving
from soak import soak

from dni_deploy.bench.measuring import race
from dni_deploy.bench.measuring.hardware import hardware

RESULTS = Path(__file__).resolve().parents[1] / "results"
PACKAGES = ("dni-deploy", "numpy", "onnxruntime-gpu", "onnxruntime", "tritonclient", "grpcio")

BATCHING = {
    SMALL: Effort(sizes=(32, 64), clients=(1, 8, 32), seconds=2.0, rounds=3),
    COMPACT: Effort(sizes=(32,), clients=(1, 8, 32), seconds=3.0, rounds=3),
}
BATCHING_QUICK = {SMALL: Effort(sizes=(32,), clients=(1, 8), seconds=0.5, rounds=1)}

# Seconds and rounds by size, the last one of Compact being the larger image.
OVERHEAD = {
    TINY: {size: race.Effort(15.0, 400) for size in (32, 64, 128, 256, 512)},
    COMPACT: {32: race.Effort(20.0, 200), 64: race.Effort(20.0, 100), 256: race.Effort(40.0, 15)},
}
OVERHEAD_QUICK = {TINY: {32: race.Effort(3.0, 10), 64: race.Effort(3.0, 10)}}
SOAK_MIN, SOAK_QUICK_MIN = 10.0, 0.5

_STARTED = time.perf_counter()


def say(step: str) -> None:
    click.echo(f"{time.perf_counter() - _STARTED:6.0f} s  {step}", err=True)


@click.command()
@click.option("--quick", is_flag=True, help="A rehearsal of some two minutes.")
@click.option("--soak-minutes", type=click.FloatRange(min=0), help=f"0 for no soak.  [default: {SOAK_MIN:g}]")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The folder to write to.  [default: benchmarks/results]"
)
def main(quick: bool, soak_minutes: float | None, output: Path | None) -> None:
    """Measure everything, write the page, and exit 1 where a bound does not hold."""
    if output is None and (quick or soak_minutes == 0):
        raise click.UsageError("the results are of a whole run; give -o FOLDER for a rehearsal or a part")
    output = output or RESULTS
    output.mkdir(parents=True, exist_ok=True)
    minutes = (SOAK_QUICK_MIN if quick else SOAK_MIN) if soak_minutes is None else soak_minutes
    with tempfile.TemporaryDirectory() as text:
        os.environ["DNI_CACHE_DIR"] = text  # what earlier runs left, in other versions of the code, stays out
        folder = Path(text)
        say("exporting the networks")
        models = {name: write_network(name, folder) for name in (SMALL, TINY, *(() if quick else (COMPACT,)))}
        with serving(models[TINY]) as server:
            version = server.version()
        batching, overhead = [], []
        for name, effort in (BATCHING_QUICK if quick else BATCHING).items():
            batching += measure_batching(name, models[name], effort, lambda step: say(f"batching: {step}"))
        for name, sizes in (OVERHEAD_QUICK if quick else OVERHEAD).items():
            overhead += measure_overhead(name, models[name], sizes, lambda step: say(f"the way through: {step}"))
        soaked = soak(models[SMALL], minutes, say) if minutes else None
    bounds = check_bounds(batching, soaked)
    machine = hardware(PACKAGES)
    found = {
        "hardware": asdict(machine),
        "tritonserver": version,
        "bounds": [asdict(bound) | {"holds": bound.holds} for bound in bounds],
        "batching": [asdict(row) for row in batching],
        "overhead": [asdict(row) for row in overhead],
        "soak": None if soaked is None else asdict(soaked),
    }
    (output / "serving.json").write_text(json.dumps(found))
    (output / "serving.md").write_text(page(machine, version, bounds, batching, overhead, soaked))
    plot(batching, overhead, soaked, output / "serving.png")
    click.echo(bounds_table(bounds))
    sys.exit(not all(bound.holds for bound in bounds))


if __name__ == "__main__":
    main()
