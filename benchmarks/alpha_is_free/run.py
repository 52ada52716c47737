"""Alpha is free: every way to run a network whose strength changes, side by side.

    python benchmarks/alpha_is_free/run.py            about three quarters of an hour on two cores, nothing else running
    python benchmarks/alpha_is_free/run.py --quick    does it work? The numbers mean nothing, and are not kept

writes benchmarks/results/alpha_is_free.json, .md and three pictures; exits 1 where a bound does not hold.
"""

import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import click
from bounds import CONTROL, THREADS, check_bounds
from four_networks import NETWORKS, Files, write_files
from overhead import call_overhead_ms
from page import bounds_table, page
from plots import plot_change_rate, plot_disk, plot_side_by_side
from pytorch import COMPILED, EAGER, RELOADED, PyTorch

from dni_deploy.bench import Approach, Case, Lineup, Plan, Report, line_up, plan, run_case
from dni_deploy.bench.approaches.lineup import BAKED, OURS
from dni_deploy.bench.measuring.footprint import measure_footprint
from dni_deploy.bench.measuring.hardware import hardware
from dni_deploy.bench.measuring.race import Effort
from dni_deploy.bench.report import ModelFacts

RESULTS = Path(__file__).resolve().parents[1] / "results"
CORE = (BAKED, CONTROL, OURS, EAGER)

# Seconds of measuring and how often those of the core are opened again: for cases that bounds are checked in, for one
# thread, and for a rehearsal.
BOUNDS_S, AGAIN, OTHER_S, QUICK_S = 25.0, 4, 15.0, 1.0
HEAVY = "RRDBNet-23"
CHANGE_RATE = ("Compact", 32)
NOTES = (
    "RRDBNet-23 has 15 times Compact's work for a pixel: its images are smaller; one thread on 32 only.",
    "torch.compile takes part in the first case of each network and in the change rate: it compiles for 5 to 50 s, for "
    "each size and number of threads anew.",
    "Output mixing runs in ONNX Runtime, like the baked file: PyTorch has no part in how slow it is.",
)


def measure_network(name: str, folder: Path, quick: bool) -> tuple[list[Case], ModelFacts]:
    """Export a network, time it on every size and number of threads, and weigh it."""
    network = NETWORKS[name]
    files = write_files(network.build, folder / name)
    lineup = line_up(files.model, folder / name, None, "cpu")
    approaches = (*lineup.approaches, *in_pytorch(name, files))
    control = replace(lineup.approach(BAKED), name=CONTROL)
    cases = []
    for threads in (THREADS,) if quick else (THREADS, 1):
        for size in network.sizes[:1] if quick else network.sizes:
            if name == HEAVY and (threads, size) == (1, network.sizes[-1]):
                continue
            with_compiled = (threads, size) == (THREADS, network.sizes[0])
            taking_part = [control, *(a for a in approaches if with_compiled or a.name != COMPILED)]
            cases.append(_case(name, lineup, taking_part, size, threads, _plan(threads == THREADS, quick)))
    if name == CHANGE_RATE[0]:
        nothing = Effort(0)
        only = Plan(nothing, nothing, nothing, nothing, change_rate=True)
        cases.append(_case(name, lineup, approaches, CHANGE_RATE[1], THREADS, only))
    largest = max(case.height for case in cases)
    shape = (1, 3, largest, largest)
    footprints = []
    for approach in approaches:
        if (name, approach.name) == (HEAVY, COMPILED):
            continue
        say(f"{name}: load time and memory of {approach.name}")
        repeats = 1 if quick or isinstance(approach, PyTorch) else 2
        footprints.append(measure_footprint(approach, shape, lineup.alpha, THREADS, repeats))
    facts = ModelFacts(name, lineup.weights_bytes, lineup.one_weights_bytes, shape[2:], tuple(footprints))
    return cases, facts


def in_pytorch(name: str, files: Files) -> list[Approach]:
    checkpoints, build = (files.a, files.b), NETWORKS[name].build
    return [
        PyTorch(name=EAGER, files=checkpoints, build=build),
        PyTorch(name=COMPILED, files=checkpoints, build=build, compile=True),
        PyTorch(name=RELOADED, files=checkpoints, build=build, reload=True),
    ]


def _plan(bounds: bool, quick: bool) -> Plan:
    if quick:
        return plan(QUICK_S, fewest=1, again=1)
    return plan(BOUNDS_S, again=AGAIN) if bounds else plan(OTHER_S)


def _case(name: str, lineup: Lineup, approaches: list[Approach], size: int, threads: int, plan: Plan) -> Case:
    def progress(step: str) -> None:
        say(f"{name} {size} x {size}, {threads} thread(s): {step}")

    shape = (1, 3, size, size)
    case = run_case(name, lineup, approaches, shape, threads, "cpu", plan, progress, CORE)
    for row in case.rows:
        # What is said of output mixing has to be seen: if it gave the same, it would have to be called exact.
        assert row.exact or row.difference > case.tolerance, f"{row.approach} equals blended weights on {name}"
    return case


_STARTED = time.perf_counter()


def say(step: str) -> None:
    click.echo(f"{time.perf_counter() - _STARTED:6.0f} s  {step}", err=True)


@click.command()
@click.option(
    "--network", "networks", multiple=True, type=click.Choice(list(NETWORKS)), help="Repeatable.  [default: all]"
)
@click.option("--quick", is_flag=True, help="A rehearsal of a few minutes.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The folder to write to.  [default: benchmarks/results]"
)
def main(networks: tuple[str, ...], quick: bool, output: Path | None) -> None:
    """Measure everything, write the page, and exit 1 where a bound does not hold."""
    if output is None and (quick or networks):
        raise click.UsageError("the results are of a whole run; give -o FOLDER for a rehearsal or some networks")
    output = output or RESULTS
    output.mkdir(parents=True, exist_ok=True)
    cases, models = [], []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DNI_CACHE_DIR"] = folder  # what earlier runs left, in other versions of the code, stays out
        for name in networks or NETWORKS:
            more, facts = measure_network(name, Path(folder), quick)
            cases += more
            models.append(facts)
    say("the runtime's own part of a call")
    overhead_ms = call_overhead_ms(100 if quick else 2000)
    report = Report(hardware(), tuple(cases), tuple(models), NOTES)
    bounds = check_bounds(cases, models, overhead_ms)
    found = report.to_dict() | {"overhead_ms": asdict(overhead_ms)}
    found["bounds"] = [asdict(bound) | {"holds": bound.holds} for bound in bounds]
    (output / "alpha_is_free.json").write_text(json.dumps(found))
    (output / "alpha_is_free.md").write_text(page(report, bounds, overhead_ms))
    by_rate = [case for case in cases if case.by_change_rate]
    if by_rate:
        plot_change_rate(by_rate[0], output / "alpha_is_free_change_rate.png")
    plot_disk(models, output / "alpha_is_free_disk.png")
    first = {case.model: case for case in reversed(cases) if case.rounds.held and case.provider == "cpu"}
    plot_side_by_side([first[facts.model] for facts in models], output / "alpha_is_free_side_by_side.png")
    click.echo(bounds_table(bounds))
    sys.exit(not all(bound.holds for bound in bounds))


if __name__ == "__main__":
    main()
