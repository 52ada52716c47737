"""What an export costs beside PyTorch's own: wall time and peak memory.

Three jobs, each in processes of their own, in random order, several times:

  one endpoint   torch.onnx.export of one endpoint, sizes dynamic, optimized, saved: the yardstick
  alpha-input    dni-export A B --alpha-input, verified
  11 baked       dni-export A B --alpha 0:1:0.1, all verified

Before anything is timed, the alpha-input model at alpha 1 and the baked model for alpha 1 have to equal
the yardstick's. Times are taken inside the process, after the imports; memory is the process's peak,
imports included.

  python benchmarks/export_cost.py            writes benchmarks/results/export_cost.json and .md
"""

import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

JOBS = ("one endpoint", "alpha-input", "11 baked")
RESULTS = Path(__file__).parent / "results"
# The bounds that the project promises: wall time as a multiple of the yardstick's, memory for RRDBNet.
TIME_BOUNDS = {"alpha-input": 1.25, "11 baked": 1.5}
MEMORY_BOUND_BYTES = 1.8e9
MEMORY_BOUND_JOB = ("RRDBNet-23", "alpha-input")


def make_endpoints(name: str, folder: Path) -> None:
    """Write the state dicts A.pth and B.pth of a network with its default initialisation; B is A with 20 % noise."""
    import torch
    from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact
    from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet

    torch.manual_seed(0)
    if name == "RRDBNet-23":
        network: torch.nn.Module = RRDBNet(in_nc=3, out_nc=3, num_filters=64, num_blocks=23, scale=4)
    else:
        network = SRVGGNetCompact(num_in_ch=3, num_out_ch=3, num_feat=64, num_conv=32, upscale=4)
    a = network.state_dict()
    b = {key: tensor + 0.2 * tensor.std(correction=0) * torch.randn_like(tensor) for key, tensor in a.items()}
    torch.save(a, folder / "A.pth")
    torch.save(b, folder / "B.pth")


def run_job(job: str, folder: Path) -> dict[str, float]:
    """Do one job in this process; return seconds and peak bytes."""
    import onnxscript.optimizer  # noqa: F401  (imported lazily by both sides: keep it out of the times)
    import torch
    from spandrel import ModelLoader

    import dni_exporters.making.steps

    endpoints = [folder / "A.pth", folder / "B.pth"]
    if job == "one endpoint":
        network = ModelLoader(device="cpu").load_from_file(endpoints[0]).model.eval()
        dynamic = torch.export.Dim.DYNAMIC
        started = time.perf_counter()
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, 16, 17),),
            folder / "yardstick.onnx",
            dynamo=True,
            verbose=False,
            external_data=False,
            input_names=["input"],
            output_names=["output"],
            dynamic_shapes=({0: dynamic, 2: dynamic, 3: dynamic},),
        )
    elif job == "alpha-input":
        started = time.perf_counter()
        dni_exporters.export(endpoints, folder / "alpha-input.onnx", alpha_input=True, force=True)
    else:
        started = time.perf_counter()
        dni_exporters.export(endpoints, folder / "baked", alphas=[i / 10 for i in range(11)], force=True)
    seconds = time.perf_counter() - started
    # Linux counts in KiB.
    return {"seconds": seconds, "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def assert_equal(folder: Path) -> float:
    """The largest difference between the yardstick's output and ours at alpha 1; fails beyond 1e-5."""
    import numpy as np

    import dni_runtime

    x = np.random.default_rng(1).random((1, 3, 24, 20), np.float32)
    with dni_runtime.load(folder / "yardstick.onnx") as model:
        wanted = model(x)
    largest = 0.0
    for name, alpha in (("alpha-input.onnx", 1.0), ("baked/alpha-1.0.onnx", None)):
        with dni_runtime.load(folder / name) as model:
            largest = max(largest, float(np.abs(model(x, alpha) - wanted).max()))
    assert largest <= 1e-5 * max(1.0, float(np.abs(wanted).max())), f"outputs differ by {largest}"
    return largest


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


def summarise(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Medians per job, and the ratios to the yardstick of the same round with their spread."""
    rows = []
    for job in JOBS:
        seconds = [r[job]["seconds"] for r in result["rounds"]]
        ratios = [r[job]["seconds"] / r["one endpoint"]["seconds"] for r in result["rounds"]]
        rows.append(
            {
                "network": result["network"],
                "job": job,
                "seconds": statistics.median(seconds),
                "ratio": statistics.median(ratios),
                "ratio_min": min(ratios),
                "ratio_max": max(ratios),
                "peak_bytes": max(r[job]["peak_bytes"] for r in result["rounds"]),
            }
        )
    return rows


def report(rows: list[dict[str, Any]], machine: dict[str, Any]) -> str:
    """The table as Markdown, bounds included."""
    lines = [
        "# What an export costs",
        "",
        f"{machine['processor']}, {machine['threads']} threads, "
        + ", ".join(f"{k} {v}" for k, v in machine["versions"].items()),
        "",
        "Each job in a fresh process; median of the rounds. The ratio is to `torch.onnx.export` of one endpoint in the",
        "same round (dynamic batch, height and width, optimizer on, file written).",
        "",
        "| network | job | seconds | ratio (min..max) | bound | peak memory |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        bound = TIME_BOUNDS.get(row["job"])
        lines.append(
            f"| {row['network']} | {row['job']} | {row['seconds']:.1f} | {row['ratio']:.2f} "
            f"({row['ratio_min']:.2f}..{row['ratio_max']:.2f}) | {'' if bound is None else f'{bound:.2f}'} "
            f"| {row['peak_bytes'] / 1e9:.2f} GB |"
        )
    lines += ["", f"Bound for the peak memory of {' '.join(MEMORY_BOUND_JOB)}: {MEMORY_BOUND_BYTES / 1e9:.1f} GB.", ""]
    return "\n".join(lines)


def beyond_bounds(rows: list[dict[str, Any]]) -> list[str]:
    """What did not hold."""
    failures = [
        f"{row['network']} {row['job']}: {row['ratio']:.2f} x, bound {TIME_BOUNDS[row['job']]}"
        for row in rows
        if row["job"] in TIME_BOUNDS and row["ratio"] > TIME_BOUNDS[row["job"]]
    ]
    return failures + [
        f"{row['network']} {row['job']}: {row['peak_bytes'] / 1e9:.2f} GB"
        for row in rows
        if (row["network"], row["job"]) == MEMORY_BOUND_JOB and row["peak_bytes"] > MEMORY_BOUND_BYTES
    ]


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
