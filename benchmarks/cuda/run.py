"""Step 2, on a machine with an NVIDIA GPU: every way to run a network whose strength changes, side by side.

    python benchmarks/cuda/run.py FOLDER --output DIR       at most four minutes, nothing else running
    python benchmarks/cuda/run.py FOLDER --output DIR --device cpu --quick      does it work? The numbers mean nothing

Six cases took three minutes on an H200, so all of it takes several runs (`--jobs`, `--only`, `--networks`) into the
same file, on the same card.
FOLDER is what `export.py` wrote. Results are appended to DIR/cuda.jsonl as they come, most important ones first; what
does not fit into the time is skipped and listed. `page.py` makes the page of them.
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from multiprocessing.connection import wait
from pathlib import Path
from statistics import median
from typing import Any

import click
import names
from export import ABOUT
from jobs import Job, compile_parts, fits, plan
from worker import Setup, Worker

from dni_deploy.bench.measuring.hardware import hardware

RESULTS = Path(__file__).resolve().parents[1] / "results" / "cuda"
_STARTS = 2  # of processes that died
_PACKAGES = ("dni-deploy", "numpy", "onnx", "onnxruntime-gpu", "torch", "triton")
# Compiling everything may take as long, but leaves this much for what comes after it.
_COMPILE_LIMIT_S, _AFTER_COMPILE_S = 130.0, 20.0


class Run:
    """The parent: it says what is measured next, and writes down what comes back."""

    def __init__(self, setup: Setup, output: Path, until: float, *, quick: bool) -> None:
        self._setup, self._until, self._quick = setup, until, quick
        self._file = output / "cuda.jsonl"
        self._best: dict[tuple[str, str, int], str] = {}
        self._opened: set[tuple[str, str]] = set()
        self._workers: dict[str, Worker] = {}
        self._starts_left = _STARTS

    def start(self, networks: Iterable[str]) -> None:
        """Imports and files for all networks at once: nothing is timed yet."""
        self._workers = {name: Worker(replace(self._setup, network=name)) for name in networks}
        for worker in self._workers.values():
            self.keep(worker.records(self._until))

    def do(self, job: Job) -> None:
        started = time.monotonic()
        alive = job.kind == "compile" or self._alive(job.network)
        if not alive or not fits(job, self._until - started, frozenset(self._opened), quick=self._quick):
            reason = f"{self._until - started:.0f} s were left" if alive else "its process has ended"
            self.keep([{"kind": "skipped", "what": str(job), "reason": reason}])
            return
        if job.kind == "compile":
            self._compile(job)
        else:
            self._workers[job.network].ask((job, None))
            self.keep(self._workers[job.network].records(self._until))
            self._note_opened(job)
        self.keep([{"kind": "took", "what": str(job), "seconds": round(time.monotonic() - started, 2)}])

    def _alive(self, network: str) -> bool:
        """Whether the network's process lives; one that died is started again, some times."""
        worker = self._workers[network]
        if not worker.alive and self._starts_left > 0 and time.monotonic() < self._until:
            self._starts_left -= 1
            self._opened = {key for key in self._opened if key[0] != network}
            worker = self._workers[network] = Worker(replace(self._setup, network=network))
            self.keep(worker.records(self._until))
        return worker.alive

    def end(self) -> None:
        for worker in self._workers.values():
            worker.end()

    def _compile(self, job: Job) -> None:
        """All networks are compiled at once, in processes of their own, while nothing is timed; then timed in turn."""
        now = time.monotonic()
        limit = min(self._until - _AFTER_COMPILE_S, now + _COMPILE_LIMIT_S) if not self._quick else self._until
        parts = compile_parts(job.networks)
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = str(max(1, (os.cpu_count() or 1) // len(parts)))
        workers: list[Worker] = []
        try:
            for name, part in parts:
                best = self._best.get((name, job.dtype, job.size))
                worker = Worker(replace(self._setup, network=name, dtypes=(job.dtype,)))
                worker.ask((replace(job, network=name), ((best,) if best else names.ALL_BAKED, part, limit)))
                workers.append(worker)
            for worker in _as_they_come(workers, limit):
                self.keep(worker.records(limit))
                self.keep(worker.records(limit))
            for worker in workers:
                if worker.alive and time.monotonic() < self._until:
                    worker.ask((Job("measure", worker.network, job.dtype, job.size), None))
                    self.keep(worker.records(self._until))
        finally:
            for worker in workers:
                worker.end()

    def _note_opened(self, job: Job) -> None:
        if job.kind == "case":
            self._opened.add((job.network, job.dtype))

    def keep(self, records: Iterable[dict[str, Any]]) -> None:
        for record in records:
            with self._file.open("a") as file:
                file.write(json.dumps(record) + "\n")
            if line := _line(record):
                click.echo(line)
            if record["kind"] == "rounds" and "compiled" not in record:
                taken = record["rounds"]
                baked = {n: median(r[n] for r in taken if n in r) for n in names.ALL_BAKED if n in taken[0]}
                if baked:
                    key = (record["network"], record["dtype"], record["size"])
                    self._best[key] = min(baked, key=baked.__getitem__)


def _as_they_come(workers: Iterable[Worker], limit: float) -> Iterator[Worker]:
    """Each worker once it has something to say; the rest when the time is over."""
    left = list(workers)
    while left:
        ready = wait([worker.connection for worker in left], max(0.0, limit - time.monotonic()))
        worker = next((worker for worker in left if worker.connection in ready), left[0])
        left.remove(worker)
        yield worker


def _line(record: dict[str, Any]) -> str:
    """One line for the terminal: medians of rounds, what failed, and what took how long."""
    where = " ".join(str(record[key]) for key in ("network", "dtype", "size", "approach") if record.get(key))
    if record["kind"] == "rounds":
        taken = record["rounds"]
        medians = [f"  {median(r[n] for r in taken if n in r):10.3f} ms  {n}" for n in sorted(taken[0])]
        return "\n".join([f"{where}, {len(taken)} rounds", *medians])
    if record["kind"] in ("agreement", "beside_cpu"):
        return "" if record["agrees"] else f"DISAGREES {where}: {record['error']:.2e}"
    if record["kind"] in ("failed", "skipped", "took", "photo", "change") or "note" in record:
        return json.dumps(record)
    return ""


def _driver() -> str:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


@click.command(help=__doc__.replace("\n\n", "\n\n\b\n", 1) if __doc__ else None)
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS, help="Where cuda.jsonl goes.")
@click.option("--budget-s", default=200.0, show_default=True, help="Nothing is begun that takes longer.")
@click.option("--networks", default="", help="Which ones; all by default.")
@click.option("--sizes", default="", help="Heights of the images; 64,256,512 by default.")
@click.option("--only", default="", help="Heights to measure now, of those; what they are for stays the same.")
@click.option("--device", type=click.Choice(["cuda", "cpu"]), default="cuda", show_default=True)
@click.option("--jobs", default="case,photo,compile", show_default=True, help="Kinds of measurements.")
@click.option("--without", multiple=True, help="An approach to leave out, by the name it has in names.py; repeatable.")
@click.option("--quick", is_flag=True, help="A rehearsal: few rounds, small images.")
def main(
    folder: Path,
    output: Path,
    budget_s: float,
    networks: str,
    sizes: str,
    only: str,
    device: str,
    jobs: str,
    without: tuple[str, ...],
    quick: bool,
) -> None:
    started = time.monotonic()
    about = json.loads((folder / ABOUT).read_text())
    chosen = tuple(networks.split(",") if networks else about["networks"])
    heights = tuple(sorted(int(size) for size in (sizes or ("16,32,48" if quick else "64,256,512")).split(",")))
    photo = (200, 150, 96) if quick else (1632, 1224, 512)
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(scratch, "inductor"))  # every compilation is a first one
        places = (folder.resolve(), about["tiny"], device, Path(scratch), without)
        setup = Setup("", *places, heights, 0.2 if quick else 2.5, photo)
        run = Run(setup, output, started + budget_s, quick=quick)
        how = {"exported": about, "quick": quick, "device": device, "budget_s": budget_s, "sizes": heights}
        run.keep([{"kind": "machine", **asdict(hardware(_PACKAGES)), "driver": _driver(), **how}])
        kept = {int(size) for size in only.split(",") if size}
        wanted = [job for job in plan(chosen, heights) if job.kind in jobs.split(",")]
        wanted = [job for job in wanted if not kept or not job.size or job.size in kept]
        try:
            run.start(dict.fromkeys(job.network for job in wanted if job.network))
            for job in wanted:
                run.do(job)
        finally:
            run.end()
    click.echo(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
