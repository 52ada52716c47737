"""The race: ours beside everything that people could run, on published networks and our own; then many small requests,
threads and memory.

    python benchmarks/race/run.py            about 20 minutes on two cores, nothing else running
    python benchmarks/race/run.py --quick    does it work? The numbers mean nothing, and are not kept
    python benchmarks/race/run.py --page     only the page, from the results that are there

Goes on where it was stopped. Writes benchmarks/results/race.jsonl, .md and .png; exits 1 where a bound does not hold
or something could not be measured.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import callers
import click
import engines
import memory
from bounds import check_bounds
from contestants import CONTESTANTS, prepare
from page import bounds_table, page
from plots import plot
from ways import why_not_compiled

from dni_deploy.bench.measuring.hardware import Hardware, hardware
from dni_deploy.bench.table import machine

RESULTS = Path(__file__).resolve().parents[1] / "results"
PARTS = ("engines", "callers", "memory")
CALLERS = (("waifu2x photo", 32), ("Real-CUGAN 2x", 64), ("DnCNN", 32))
ON_ONE_THREAD = ("Real-CUGAN 2x", "waifu2x cunet", "waifu2x photo", "Compact")
MEMORY = (("Real-CUGAN 2x", 64), ("RRDBNet-6", 64))
# Of one job, export not included; one that hangs is ended, and the others go on.
_PATIENCE_S = 600

Job = dict[str, Any]


def jobs(only: tuple[str, ...], quick: bool) -> list[Job]:
    """In the order in which they run: what bounds are about first. `only`: parts or networks."""
    found: list[Job] = []
    for name, contestant in CONTESTANTS.items():
        sizes = contestant.sizes[:1] if quick else contestant.sizes
        found += [{"part": "engines", "name": name, "size": size, "threads": 2} for size in sizes]
    first = {name: CONTESTANTS[name].sizes[0] for name in ON_ONE_THREAD}
    found += [{"part": "engines", "name": name, "size": size, "threads": 1} for name, size in first.items()]
    found += [{"part": "callers", "name": name, "size": size} for name, size in CALLERS]
    found += [{"part": "memory", "name": name, "size": size} for name, size in MEMORY]
    return [job for job in found if not only or job["part"] in only or job["name"] in only]


def measure(job: Job, files: Path, packages: Path, quick: bool) -> dict[str, Any]:
    """What a job finds, in this process."""
    model = prepare(job["name"], files, packages)
    name, size = job["name"], job["size"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if job["part"] == "engines":
            first = size == CONTESTANTS[name].sizes[0] and job["threads"] == 2
            how = {"compiled": first and not quick, "quick": quick, "say": say}
            return engines.measure(name, model, folder, size, job["threads"], **how)
        if job["part"] == "callers":
            return callers.measure(name, model, folder, size, quick=quick, say=say)
        return memory.measure(name, model.model, folder, size, quick=quick)


def in_process(job: Job, files: Path, packages: Path, quick: bool) -> dict[str, Any]:
    """The line of a job that runs in a process of its own: what an engine does to it, it does to no other."""
    with tempfile.TemporaryDirectory() as temporary:
        answer = Path(temporary, "answer.json")
        command = [sys.executable, __file__, "--job", json.dumps(job), "--answer", str(answer)]
        command += ["--files", str(files), "--packages", str(packages), *(["--quick"] if quick else [])]
        started = time.perf_counter()
        try:
            done = subprocess.run(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=_PATIENCE_S
            )
            failed = "" if answer.exists() else _last(done.stderr) or f"it ended with {done.returncode}"
        except subprocess.TimeoutExpired:
            failed = f"it took more than {_PATIENCE_S} s"
        line = {"job": job, "seconds": round(time.perf_counter() - started, 1), "machine": asdict(hardware(_PACKAGES))}
        return line | ({"failed": failed} if failed else {"found": json.loads(answer.read_text())})


_PACKAGES = ("dni-deploy", "numpy", "onnxruntime-gpu", "onnxruntime", "openvino", "ncnn", "torch")
_STARTED = time.perf_counter()


def say(step: str) -> None:
    click.echo(f"{time.perf_counter() - _STARTED:6.0f} s  {step}", err=True)


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def write_page(output: Path) -> bool:
    """Write page and picture from the lines that are there; whether everything was measured and holds."""
    lines = [json.loads(line) for line in (output / "race.jsonl").read_text().splitlines()]
    lines = list({json.dumps(line["job"], sort_keys=True): line for line in lines}.values())
    found = {
        part: [line["found"] for line in lines if line["job"]["part"] == part and "found" in line] for part in PARTS
    }
    failed = [f"{_told(line['job'])}: {line['failed']}" for line in lines if "failed" in line]
    if reason := why_not_compiled():
        failed.append(reason)
    bounds = check_bounds(found["engines"])
    described = machine(Hardware(**lines[-1]["machine"]))
    (output / "race.md").write_text(page(found, bounds, described, failed))
    if found["engines"]:
        plot([case for case in found["engines"] if case["threads"] == 2], found["callers"], output / "race.png")
    click.echo(bounds_table(bounds))
    return not failed and all(bound.holds for bound in bounds)


def _told(job: Job) -> str:
    return ", ".join(str(value) for value in job.values())


@click.command()
@click.option("--only", multiple=True, type=click.Choice([*PARTS, *CONTESTANTS]), help="Repeatable.  [default: all]")
@click.option("--quick", is_flag=True, help="A rehearsal of some minutes.")
@click.option("--page", "only_page", is_flag=True, help="Only write the page.")
@click.option("--files", type=click.Path(path_type=Path), help="A folder to keep the exported networks in.")
@click.option("--packages", type=click.Path(path_type=Path), help="A folder to keep the published packages in.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The folder.  [default: benchmarks/results]")
@click.option("--job", hidden=True, help="Measure this one here.")
@click.option("--answer", hidden=True, type=click.Path(path_type=Path), help="Where to write what it found.")
def main(
    only: tuple[str, ...],
    quick: bool,
    only_page: bool,
    files: Path | None,
    packages: Path | None,
    output: Path | None,
    job: str | None,
    answer: Path | None,
) -> None:
    """Measure what has no result yet, write the page, and exit 1 where a bound does not hold."""
    if job is not None and answer is not None and files is not None and packages is not None:
        answer.write_text(json.dumps(measure(json.loads(job), files, packages, quick)))
        return
    if output is None and quick:
        raise click.UsageError("the results are of a whole run; give -o FOLDER for a rehearsal")
    output = output or RESULTS
    output.mkdir(parents=True, exist_ok=True)
    if not only_page:
        with tempfile.TemporaryDirectory() as temporary:
            folder = files or Path(temporary)
            run_jobs(jobs(only, quick), folder, packages or folder / "packages", output / "race.jsonl", quick)
    sys.exit(not write_page(output))


def run_jobs(wanted: list[Job], files: Path, packages: Path, raw: Path, quick: bool) -> None:
    """A line for every job that has no result yet; networks are exported before anything is measured."""
    lines = [json.loads(line) for line in raw.read_text().splitlines()] if raw.exists() else []
    done = [line["job"] for line in lines if "found" in line]
    left = [job for job in wanted if job not in done]
    files.mkdir(parents=True, exist_ok=True)
    for name in dict.fromkeys(job["name"] for job in left):
        say(f"{name}: exporting, unless it is there")
        prepare(name, files, packages)
    cache = files / "cache"
    if not done:  # what earlier runs left, in other versions of the code, stays out
        shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(mode=0o700, exist_ok=True)
    os.environ["DNI_CACHE_DIR"] = str(cache)
    for number, job in enumerate(left):
        say(f"{number + 1} of {len(left)}: {_told(job)}")
        line = in_process(job, files, packages, quick)
        with raw.open("a") as file:
            file.write(json.dumps(line) + "\n")
        say(f"    {line.get('failed', 'done')}, {line['seconds']:.0f} s")


if __name__ == "__main__":
    main()
