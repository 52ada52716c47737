"""Photographs as people have them: the images of Pillow's own tests, ten thousand small files, a hundred megapixels.

    python benchmarks/photographs/run.py --cache FOLDER                    about 10 minutes on two cores
    python benchmarks/photographs/run.py --cache FOLDER --only corpus --name .webp -o ELSEWHERE --details

fetches Pillow's source by its name (nothing of it is shipped here), runs a network that returns its input, and writes
benchmarks/results/photographs.json and .md; exits 1 where a file ends in anything but a right result or one clear line.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import corpus  # before what it brings from the benchmark of hostile files
import costs
from attempt import Limits
from outcome import Outcome
from page import LIMIT_S, page
from returning import returning
from sources import SOURCES, fetch
from worker import try_all

RESULTS = Path(__file__).resolve().parents[1] / "results"
PARTS = ("corpus", "evening", "small", "large")
_SMALL = 10_000
_SAY_S = 30.0
_STARTED = time.perf_counter()


def say(step: str) -> None:
    click.echo(f"{time.perf_counter() - _STARTED:6.0f} s  {step}", err=True)


@click.command()
@click.option("--cache", type=click.Path(path_type=Path), required=True, help="Where fetched packages are kept.")
@click.option("--only", multiple=True, type=click.Choice(PARTS), help="Repeatable.")
@click.option("--name", default="", help="Only files with this in their names.")
@click.option("--small", "small", type=click.IntRange(min=1), default=_SMALL, show_default=True, help="Small files.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes at the same time.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="[default: benchmarks/results]")
@click.option("--details", is_flag=True, help="Print every outcome.")
def main(
    cache: Path, only: tuple[str, ...], name: str, small: int, jobs: int, output: Path | None, details: bool
) -> None:
    """Try everything, write the page, exit 1 on any fault. Parts are written beside what is there of the others."""
    if output is None and (name or small != _SMALL):
        raise click.UsageError("the results are of a whole run; give -o FOLDER for a part")
    parts, target = only or PARTS, output or RESULTS
    folders, missing = fetch(cache.resolve(), say, [source for source in SOURCES if source.name == "pillow"])
    if missing:
        raise click.ClickException(missing[0])
    file = target / "photographs.json"
    data: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    with tempfile.TemporaryDirectory(prefix="photographs-") as text:
        scratch = Path(text).resolve()
        os.environ["DNI_CACHE_DIR"] = str(scratch / "cache")
        if "corpus" in parts:
            outcomes = _try_corpus(folders["pillow"], scratch, cache.resolve(), name, jobs, details)
            data["corpus"] = corpus.summary(outcomes)
        if "evening" in parts:
            say("all of them in one run")
            data["evening"] = corpus.evening(folders["pillow"], scratch)
        if "small" in parts:
            say(f"{small} small files")
            data["small"] = costs.small_files(scratch, small)
        if "large" in parts:
            say("photographs of a hundred million pixels")
            data["large"] = costs.large_photographs(scratch)
    target.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(data, indent=1) + "\n")
    (target / "photographs.md").write_text(page(data))
    sys.exit(any(data.get(part, {}).get("faults") for part in ("corpus", "evening")))


def _try_corpus(pillow: Path, scratch: Path, cache: Path, name: str, jobs: int, details: bool) -> list[Outcome]:
    model = scratch / "returning.onnx"
    model.write_bytes(returning().SerializeToString())
    cases = [case for case in corpus.cases(pillow) if name in case.name]
    say(f"{len(cases)} files of Pillow's tests")
    ways = {corpus.KIND: corpus.Kit(model).ways()}
    outcomes: list[Outcome] = []
    shown = time.perf_counter()
    readable = [scratch, cache, Path(__file__).resolve().parents[2]]
    for some in try_all(cases, ways, scratch, readable, jobs, Limits(LIMIT_S, costs.LIMIT_MB)):
        outcomes += some
        for each in some if details else ():
            click.echo(f"{each.result:12} {each.way:9} {each.name!a}: {each.detail}")
        if time.perf_counter() - shown > _SAY_S:
            shown = time.perf_counter()
            say(f"{len({each.name for each in outcomes})} of {len(cases)} files")
    return outcomes


if __name__ == "__main__":
    main()
