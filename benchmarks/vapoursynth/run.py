"""Our filter in VapourSynth: frames a second beside a plain loop and beside vs-mlrt, alpha held and moving.

    make .venv-vapoursynth/.done
    python benchmarks/vapoursynth/run.py            about eight minutes on two cores, nothing else running
    python benchmarks/vapoursynth/run.py --page     only the page, from the results that are there

Exports the networks where PyTorch is, and measures in VapourSynth's environment. Writes vapoursynth.json, .md and .png
into benchmarks/results; exits 1 where a bound does not hold. With --only the results of the others stay.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from bounds import check_bounds
from names import FEW, STREAMS, Kind
from networks import NETWORKS, prepare
from page import bounds_table, page
from plots import plot
from timing import DISTURBED

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
ENVIRONMENT = Path(os.environ.get("DNI_VAPOURSYNTH_ENV") or ROOT / ".venv-vapoursynth")
SIZE = 180, 320
AGREEMENT = "agreement"

# Who is run, and frames that are timed at once.
JOBS: dict[str, tuple[str, tuple[Kind, ...], int]] = {
    AGREEMENT: ("bundled pair", (), 0),
    **{name: (name, FEW, 20 if name == "bundled pair" else 4) for name in NETWORKS},
    "bundled pair, streams": ("bundled pair", STREAMS, 24),
    "waifu2x photo, streams": ("waifu2x photo", STREAMS, 8),
}


def measured(name: str, files: Mapping[str, Path], prefix: str = "", **effort: float) -> dict[str, Any]:
    """What a job finds, in VapourSynth's environment. `effort`: rounds, seconds and disturbed of `timing.measure`."""
    network, kinds, count = JOBS[name]
    job = {"files": {kind: str(path) for kind, path in files.items()}, "kinds": kinds, "size": SIZE, "count": count}
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        command = [*shlex.split(prefix), ENVIRONMENT / "bin" / "python", Path(__file__).with_name("worker.py")]
        subprocess.run([*command, json.dumps(job | effort), answer], check=True)
        return {"network": network, "size": SIZE, "count": count, "kinds": kinds} | json.loads(answer.read_text())


@click.command()
@click.option("--only", multiple=True, type=click.Choice([*JOBS]), help="Repeatable.  [default: all]")
@click.option("--rounds", default=25, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=60.0, show_default=True, help="At most, for each network.")
@click.option("--prefix", default="", help="A command that the measuring process is run by, such as 'taskset -c 2-5'.")
@click.option("--add", is_flag=True, help="Keep the rounds that are there, and add to them.")
@click.option("--page", "only_page", is_flag=True, help="Only write the page.")
@click.option("--files", type=click.Path(path_type=Path), help="A folder to keep the exported networks in.")
@click.option("--packages", type=click.Path(path_type=Path), help="A folder to keep the published packages in.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=RESULTS, help="The folder to write to.")
def main(
    only: tuple[str, ...],
    rounds: int,
    seconds: float,
    prefix: str,
    add: bool,
    only_page: bool,
    files: Path | None,
    packages: Path | None,
    output: Path,
) -> None:
    """Measure, write vapoursynth.json, .md and .png, and exit 1 where a bound does not hold."""
    raw = output / "vapoursynth.json"
    found: dict[str, Any] = json.loads(raw.read_text()) if raw.exists() else {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = files or Path(temporary)
        for name in () if only_page else only or JOBS:
            click.echo(name, err=True)
            paths = prepare(JOBS[name][0], folder, packages or folder / "packages")
            more = measured(name, paths, prefix, rounds=rounds, seconds=seconds, disturbed=DISTURBED)
            if add and "rounds" in found.get(name, {}):
                more["rounds"] = [*found[name]["rounds"], *more["rounds"]]
                more["left_out"] += found[name]["left_out"]
            found[name] = more
            found = {each: found[each] for each in JOBS if each in found}
            raw.write_text(json.dumps(found) + "\n")
    bounds = check_bounds(found)
    (output / "vapoursynth.md").write_text(page(found, bounds))
    plot(found, output / "vapoursynth.png")
    click.echo(bounds_table(bounds))
    sys.exit(not all(bound.holds for bound in bounds))


if __name__ == "__main__":
    main()
