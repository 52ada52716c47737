"""Published pairs that do not blend, made to blend by `dni fit`: how near the curve comes to the mix of both pictures.

  python benchmarks/real_pairs/fit.py FOLDER             all pairs, which takes hours of one core; what FOLDER holds
                                                         already is kept, so that a later run goes on
  python benchmarks/real_pairs/fit.py FOLDER NAME ...    only pairs in whose names one of these occurs
  python benchmarks/real_pairs/fit.py FOLDER --page      fits nothing: the results of what FOLDER holds

Fetches five packages by name (95 MB). Each pair learns from photographs that are neither judged by nor shown
(fit_photographs.py), is exported as a curve, and run. Writes benchmarks/results/real_pairs_fit.json, .md and
_sheet.jpg.
"""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import torch
from fit_cases import CASES, Case
from fit_measure import Record, fitted
from fit_page import page
from fit_photographs import write_photographs
from fit_sheet import write_sheet, write_strip
from published import fetch, write_checkpoints

RESULTS = Path(__file__).resolve().parents[1] / "results"


def measure(case: Case, folder: Path) -> None:
    """Fit one pair and keep what came of it in the folder."""
    click.echo(case.name, err=True)
    steps = iter(range(10**9))

    def tell(text: str) -> None:
        if next(steps) % 50 == 0:
            click.echo(f"  {text}", err=True)

    record, pictures = fitted(case, folder, write_photographs(folder), tell)
    kept = folder / f"{case.stem}.json"
    if record["resumed"]:
        for key in ("seconds", "cpu_seconds"):
            record[key] += json.loads(kept.read_text())[key]
    record["machine"] = _machine()
    write_strip(folder / f"{case.stem}.png", pictures)
    kept.write_text(json.dumps(record, indent=1) + "\n")
    click.echo(f"  before {record['before']['text']}\n  after {record['after']['text']}", err=True)


def collected(folder: Path) -> list[Record]:
    """The records that the folder holds, in the order of the cases."""
    files = [folder / f"{case.stem}.json" for case in CASES]
    return [json.loads(file.read_text()) for file in files if file.exists()]


def _machine() -> dict[str, Any]:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": names[0].partition(":")[2].strip() if names else platform.processor(),
        "versions": {"Python": platform.python_version(), **{p: version(p) for p in ("torch", "spandrel")}},
    }


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("names", nargs=-1)
@click.option("--page", "only_page", is_flag=True, help="Fit nothing.")
@click.option("--again", is_flag=True, help="Fit also what the folder holds; what fell short goes on.")
@click.option("--output", default=RESULTS, type=click.Path(path_type=Path), show_default="benchmarks/results")
def main(folder: Path, names: tuple[str, ...], only_page: bool, again: bool, output: Path) -> None:
    """Fit, and write the results of all that FOLDER holds."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    if not only_page:
        if not all(file.exists() for case in CASES for file in case.files(folder)):
            write_checkpoints(fetch(folder), folder)
        for case in CASES:
            wanted = not names or any(name in case.name for name in names)
            if wanted and (again or not (folder / f"{case.stem}.json").exists()):
                measure(case, folder)
    records = collected(folder)
    raw = output / "real_pairs_fit.json"
    raw.write_text(json.dumps(records, indent=1) + "\n")
    race = output / "real_pairs_fit_race.json"
    raced = json.loads(race.read_text()) if race.exists() else []
    (output / "real_pairs_fit.md").write_text(page(records, raced))
    write_sheet(
        records, {case.name: folder / f"{case.stem}.png" for case in CASES}, output / "real_pairs_fit_sheet.jpg"
    )


if __name__ == "__main__":
    main()
