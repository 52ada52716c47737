"""What an export costs beside PyTorch's own: wall time and peak memory.

Three jobs, each in processes of their own, in random order, several times:

  one endpoint   torch.onnx.export of one endpoint, sizes dynamic, optimized, saved: the yardstick
  alpha-input    dni-export A B --alpha-input, verified
  11 baked       dni-export A B --alpha 0:1:0.1, all verified

Before anything is timed, the alpha-input model at alpha 1 and the baked model for alpha 1 have to equal
the yardstick's. Times are taken inside the process, after the imports; memory is the process's peak,
imports included.

  python benchmarks/export_cost/run.py            writes benchmarks/results/export_cost.json and .md
"""

import json
import os
import platform
import random
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from jobs import JOBS, assert_equal, make_endpoints, run_job
from page import beyond_bounds, report, summarise

RESULTS = Path(__file__).resolve().parents[1] / "results"


def measure(name: str, repeats: int) -> dict[str, Any]:
    """All jobs on one network, every one in a fresh process, the order drawn anew for every round."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_endpoints(name, folder)
        for job in JOBS:
            _in_process(job, folder)
        difference = assert_equal(folder)
        rounds = []
        order = random.Random(0)
        for number in range(repeats):
            taken = {}
            for job in order.sample(JOBS, len(JOBS)):
                taken[job] = _in_process(job, folder)
                click.echo(f"{name} round {number + 1}: {job} {taken[job]['seconds']:.1f} s", err=True)
            rounds.append(taken)
    return {"network": name, "largest_difference": difference, "rounds": rounds}


def _in_process(job: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", job, "--folder", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    taken: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return taken


def _machine() -> dict[str, Any]:
    packages = ("torch", "onnx", "onnxscript", "onnxruntime-gpu", "spandrel")
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": names[0].partition(":")[2].strip() if names else platform.processor(),
        "threads": int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)),
        "versions": {"Python": platform.python_version(), **{p: version(p) for p in packages}},
    }


@click.command()
@click.option(
    "--network",
    "networks",
    multiple=True,
    type=click.Choice(["Compact", "RRDBNet-23"]),
    default=("Compact", "RRDBNet-23"),
)
@click.option("--repeats", default=5, show_default=True, help="Rounds of all three jobs.")
@click.option("--child", type=click.Choice(JOBS), hidden=True)
@click.option("--folder", type=click.Path(path_type=Path), hidden=True)
def main(networks: tuple[str, ...], repeats: int, child: str | None, folder: Path) -> None:
    """Measure what an export costs; exits 1 where a bound does not hold."""
    if child:
        click.echo(json.dumps(run_job(child, folder)))
        return
    results = [measure(name, repeats) for name in networks]
    rows = [row for result in results for row in summarise(result)]
    machine = _machine()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "export_cost.json").write_text(
        json.dumps({"machine": machine, "rows": rows, "results": results}, indent=1)
    )
    text = report(rows, machine)
    (RESULTS / "export_cost.md").write_text(text)
    click.echo(text)
    failures = beyond_bounds(rows)
    for failure in failures:
        click.secho(f"bound exceeded: {failure}", err=True, fg="red")
    raise SystemExit(bool(failures))


if __name__ == "__main__":
    main()
