"""Files and requests from strangers: what the commands make of some thousands of hostile and broken ones.

    python benchmarks/hostile/run.py --cache FOLDER     about 25 minutes on two cores
    python benchmarks/hostile/run.py --quick ...        a sample, 2 minutes; not kept
    python benchmarks/hostile/run.py --only image ...   image, model, checkpoint, kill, http, grpc or outside

fetches the corpora by package name, makes others from a seed, writes benchmarks/results/hostile.jsonl and .md; exits 1
on any fault. Every input is a file of the user who runs this, in a folder of its own; payloads make a file there.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from inputs import KINDS, SEED, Chosen
from kills import try_kills
from kit import fetch_ort_web, make_kit
from outcome import Outcome, faults
from outside import try_from_outside
from results import RESULTS, write
from sources import fetch
from wire import GRPC, HTTP, try_requests
from worker import try_all

OTHERS = ("kill", HTTP, GRPC, "outside")
# Of kills, of requests over each protocol, of commands that are looked at from outside.
_KILLS, _REQUESTS, _COMMANDS = 80, 345, 16
_QUICK = 25
_SAY_S = 30.0
_STARTED = time.perf_counter()


def say(step: str) -> None:
    click.echo(f"{time.perf_counter() - _STARTED:6.0f} s  {step}", err=True)


@click.command()
@click.option("--cache", type=click.Path(path_type=Path), required=True, help="Where fetched packages are kept.")
@click.option("--no-fetch", is_flag=True, help="Only what is made from the seed.")
@click.option("--quick", is_flag=True, help="The same as --every 25.")
@click.option("--every", type=click.IntRange(min=1), default=1, metavar="N", help="One input of N, drawn at random.")
@click.option("--only", "only", multiple=True, type=click.Choice([*KINDS, *OTHERS]), help="Repeatable.")
@click.option("--family", default="", help="Only inputs of families with this in their names.")
@click.option("--name", default="", help="Only inputs with this in their names: to see one fault again.")
@click.option("--seed", type=int, default=SEED, show_default=True)
@click.option("--jobs", type=int, default=2, show_default=True, help="Processes at the same time.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="[default: benchmarks/results]")
@click.option("--before", type=click.Path(exists=True, path_type=Path), help="An earlier hostile.jsonl, for the page.")
@click.option("--details", is_flag=True, help="Print every outcome.")
def main(
    cache: Path,
    no_fetch: bool,
    quick: bool,
    only: tuple[str, ...],
    jobs: int,
    output: Path | None,
    before: Path | None,
    details: bool,
    **options: Any,
) -> None:
    """Try everything, write the page, exit 1 on any fault."""
    chosen = Chosen(**options | ({"every": _QUICK} if quick else {}))
    is_part = no_fetch or bool(only) or chosen != Chosen(1, "", "", SEED)
    if output is None and is_part:
        raise click.UsageError("the results are of a whole run; give -o FOLDER for a part")
    folders, missing = ({}, ["the corpora, which were not fetched"]) if no_fetch else fetch(cache.resolve(), say)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="hostile-") as text:
        scratch = Path(text).resolve()
        os.environ["DNI_CACHE_DIR"] = str(scratch / "cache")
        for kind in KINDS:
            if not only or kind in only:
                outcomes += _try_files(kind, folders, scratch, cache.resolve(), chosen, jobs, missing, details)
        for kind in OTHERS:
            if (not only or kind in only) and not (chosen.family or chosen.name):
                outcomes += _try_other(kind, scratch, chosen, missing)
    if not outcomes:
        raise click.UsageError("nothing was tried: no input has such a name and family")
    found = faults(outcomes)
    write(output or RESULTS, outcomes, found, chosen, missing, before, time.perf_counter() - _STARTED)
    for fault in found:
        click.echo(
            f"{fault['result']}: {fault['way']} of {fault['kind']} {fault['name']!r} ({fault['family']}), "
            f"{fault['inputs']} alike: {fault['detail']}"
        )
    click.echo(f"{len(outcomes)} outcomes, {sum(fault['inputs'] for fault in found)} faults of {len(found)} kinds")
    sys.exit(bool(found))


def _try_files(
    kind: str,
    folders: dict[str, Path],
    scratch: Path,
    cache: Path,
    chosen: Chosen,
    jobs: int,
    missing: list[str],
    details: bool,
) -> list[Outcome]:
    """Each kind in workers of its own: those without PyTorch are forked faster."""
    ort_web = fetch_ort_web(cache) if kind == "model" else None
    if kind == "model" and ort_web is None:
        missing.append("dni ship web: npm did not bring onnxruntime-web")
    ways = {kind: make_kit(scratch / "kit", ort_web)[kind]}
    cases = chosen.cases(folders, [kind])
    say(f"{len(cases)} files of kind {kind}")
    readable = [scratch / "kit", cache, Path(__file__).resolve().parents[2]]
    outcomes: list[Outcome] = []
    shown = time.perf_counter()
    for some in try_all(cases, ways, scratch, readable, jobs):
        outcomes += some
        for outcome in some if details else ():
            click.echo(f"{outcome.result:14} {outcome.way:10} {outcome.family}: {outcome.name!a}: {outcome.detail}")
        if time.perf_counter() - shown > _SAY_S:
            shown = time.perf_counter()
            tried = len({(outcome.family, outcome.name) for outcome in outcomes})
            say(f"{tried} of {len(cases)} files, {sum(outcome.is_fault for outcome in outcomes)} faults")
    return outcomes


def _try_other(kind: str, scratch: Path, chosen: Chosen, missing: list[str]) -> list[Outcome]:
    say({"kill": "killing", "outside": "looking from outside"}.get(kind, f"requests over {kind}"))
    try:
        if kind == "kill":
            return try_kills(scratch / "kills", chosen.seed, max(8, _KILLS // chosen.every))
        if kind == "outside":
            return try_from_outside(scratch / "outside", max(3, _COMMANDS // chosen.every))
        return try_requests(kind, scratch / kind, chosen.seed, max(40, _REQUESTS // chosen.every))
    except FileNotFoundError as error:
        missing.append(f"{kind}: {error}")
        return []


if __name__ == "__main__":
    main()
