"""Every network that spandrel knows, and those of the paper's field: exported, and compared with spandrel itself.

    python benchmarks/coverage/run.py                     all rows; goes on where an earlier run of this commit stopped
    python benchmarks/coverage/run.py --only SwinIR       rows whose names begin so, again
    python benchmarks/coverage/run.py --steps export,parity
    python benchmarks/coverage/run.py --page              only the page, from the results that are there

writes benchmarks/results/coverage.jsonl, a line for each row and step, and coverage.md; exits 1 where a row's pixels
are wrong or it has no file. Each row is a process of its own: one that crashes or hangs is a row that failed.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from page import failures, page
from results import Results
from row import Row
from rows import ROWS
from steps import ON_FILE, STEPS, Case, steps_of

RESULTS = Path(__file__).resolve().parents[1] / "results"
_LARGE_LIMIT = 4


@click.command()
@click.option("--only", "only", multiple=True, metavar="NAME", help="Rows whose names begin so. Repeatable.")
@click.option("--steps", "wanted", default="", metavar="A,B", help=f"Of {', '.join(STEPS)}. [default: a row's own]")
@click.option("--first", is_flag=True, help="One row of each architecture.")
@click.option("--again", is_flag=True, help="Also what this commit has done before.")
@click.option("--limit", default=900, show_default=True, help="Seconds for a row; large ones have four times as many.")
@click.option("--page", "only_page", is_flag=True, help="Only write the page.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=RESULTS, help="The folder of the results.")
@click.option("--child", hidden=True)
def main(
    only: tuple[str, ...],
    wanted: str,
    first: bool,
    again: bool,
    limit: int,
    only_page: bool,
    output: Path,
    child: str | None,
) -> None:
    """Fill the table, write the page, exit 1 where a row fails."""
    steps = [name.strip() for name in wanted.split(",") if name.strip()]
    if unknown := set(steps) - STEPS.keys():
        raise click.UsageError(f"--steps {', '.join(sorted(unknown))}; expected of {', '.join(STEPS)}")
    if child:
        with tempfile.TemporaryDirectory(prefix="coverage-") as folder:
            _work(Case(ROWS[child], Path(folder)), steps)
        return
    rows = [row for row in ROWS.values() if row.name.startswith(only or ("",)) and (row.is_first or not first)]
    results = Results(output / "coverage.jsonl")
    for row in () if only_page else rows:
        due = [step for step in steps_of(row) if not steps or step in steps]
        due = due if again or only else [step for step in due if not results.has(row.name, step)]
        if due:
            _in_process(row, due, limit * (_LARGE_LIMIT if row.large else 1), results)
    (output / "coverage.md").write_text(page(results.lines, results.machine))
    found = failures(results.lines)
    for name, step, said in found:
        click.secho(f"{name}, {step}: {said}", err=True, fg="red")
    sys.exit(bool(found))


def _in_process(row: Row, steps: list[str], limit: float, results: Results) -> None:
    """Do `steps` of a row in a process of its own; every step that ends is kept at once."""
    needs_file = set(steps) & set(ON_FILE) and "export" not in steps
    asked = ["export", *steps] if needs_file else steps
    command = [sys.executable, __file__, "--child", row.name, "--steps", ",".join(asked)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DNI_CACHE_DIR": ""}
    started, done = time.monotonic(), []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            lines = process.communicate(timeout=limit)[0]
            ended = f"the process ended with {process.returncode}" if process.returncode else ""
        except subprocess.TimeoutExpired:
            process.kill()
            lines, ended = process.communicate()[0], f"stopped after {limit:.0f} s"
    for line in filter(lambda line: line.startswith("{"), lines.splitlines()):
        found = json.loads(line)
        done.append(found["step"])
        results.add(row.name, found)
        click.echo(f"{row.name:24} {found['step']:9} {found['seconds']:7.1f} s  {_told(found)}")
    if ended and (missing := [step for step in asked if step not in done]):
        seconds = time.monotonic() - started
        results.add(row.name, {"step": missing[0], "seconds": round(seconds, 1), "ok": False, "error": ended})
        click.echo(f"{row.name:24} {missing[0]:9} {seconds:7.1f} s  {ended}")


def _told(found: dict[str, Any]) -> str:
    keys = ("error", "worst", "dims", "multiple", "minimum", "max", "mean", "tile", "laid_out", "moving", "held",
            "plain", "message")  # fmt: skip
    return ", ".join(f"{key} {found[key]}"[:300] for key in keys if key in found)


def _work(case: Case, steps: list[str]) -> None:
    """Print a line of JSON for each step. What needs a file that could not be made is left out."""
    for step in steps:
        if step in ON_FILE and not case.model.exists():
            continue
        started = time.monotonic()
        try:
            found = {"ok": True, **STEPS[step](case)}
        except Exception as error:  # a row fails, and the others go on
            found = {"ok": False, "error": f"{type(error).__name__}: {error}"[:2000]}
        told = {"step": step, "seconds": round(time.monotonic() - started, 1), **found}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
