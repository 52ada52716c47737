"""What a new alpha costs with every architecture, beside the file that is baked for one.

    python benchmarks/every_alpha/run.py --prepare     a quarter of an hour: exports, and finds sizes of images
    python benchmarks/every_alpha/run.py               ten minutes on two cores, nothing else running
    python benchmarks/every_alpha/run.py --only HAT    networks whose names begin so, again
    python benchmarks/every_alpha/run.py --page        only the page, from the results that are there

writes benchmarks/results/every_alpha.jsonl, a line for each network, number of threads and image, and every_alpha.md;
exits 1 where a new alpha costs more than the bound. Goes on where an earlier run stopped.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from files import export_missing, files_in
from measuring import BAKED, LONG_S, MOVING, Shape, measure, opened, shape_of, twice
from page import BOUND, missed, page

from dni_deploy.bench.measuring.hardware import Hardware, hardware

RESULTS = Path(__file__).resolve().parents[1] / "results"
THREADS = (1, 2)


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Networks whose names begin so, again. Repeatable.")
@click.option("--models", type=click.Path(path_type=Path), help="The folder of the files. [default: a temporary one]")
@click.option("--threads", "counts", multiple=True, type=click.IntRange(min=1), default=THREADS, show_default=True)
@click.option("--seconds", default=1e6, help="Start no other network after so many seconds.")
@click.option("--prepare", is_flag=True, help="Only export, and find sizes.")
@click.option("--page", "only_page", is_flag=True, help="Only write the page.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=RESULTS, help="The folder of the results.")
def main(
    only: tuple[str, ...],
    models: Path | None,
    counts: tuple[int, ...],
    seconds: float,
    prepare: bool,
    only_page: bool,
    output: Path,
) -> None:
    """Measure every network that has not been measured, write the page, exit 1 where one misses the bound."""
    folder = models or Path(tempfile.gettempdir()) / "dni-every-alpha"
    os.environ.setdefault("DNI_CACHE_DIR", str(folder / "cache"))
    results = Results(output / "every_alpha.jsonl")
    if only:
        results.forget(only, counts)
    if prepare:
        results.failed = export_missing(folder, only)
    sizes = _sizes(folder, only) if not only_page else {}
    started = time.monotonic()
    for file in [] if only_page or prepare else files_in(folder, only):
        for threads in counts:
            if not results.has(file.stem, threads) and time.monotonic() - started < seconds:
                results.add([*_measured(file, threads, sizes[file.stem][str(threads)])])
    results.write()
    (output / "every_alpha.md").write_text(page(results.lines, results.failed, results.machine, results.revisions))
    found = missed(results.lines)
    for line in found:
        click.secho(f"{line['row']}, {line['threads']} threads: {line[MOVING]['median']:.2f}", err=True, fg="red")
    sys.exit(bool(found))


def _sizes(folder: Path, only: tuple[str, ...]) -> dict[str, dict[str, Shape]]:
    """The images of each network, found once and kept beside the files."""
    kept = folder / "sizes.json"
    sizes: dict[str, dict[str, Shape]] = json.loads(kept.read_text()) if kept.exists() else {}
    for file in files_in(folder, only):
        if file.stem not in sizes:
            sizes[file.stem] = {str(threads): shape_of(file, threads) for threads in THREADS}
            kept.write_text(json.dumps(sizes))
            click.echo(f"{file.stem}: {sizes[file.stem]}")
    return sizes


def _measured(file: Path, threads: int, shape: Shape) -> Iterator[dict[str, Any]]:
    with opened(file, threads) as ways:
        is_free = None in ways[MOVING]._signature.shape[2:]
        while True:
            found = measure(ways, shape, threads)
            click.echo(
                f"{file.stem:24} {threads} {shape} {found[BAKED]:.1f} ms, new alpha {found[MOVING]['median']:.3f}"
            )
            yield {"row": file.stem, **found}
            shape = twice(shape)
            if found[MOVING]["median"] <= BOUND or not is_free or 4e-3 * found[BAKED] > LONG_S:
                return


class Results:
    """What is in `file`; `add` writes at once, so that a run can be stopped anywhere."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.machine = hardware()
        self.failed: dict[str, str] = {}
        self.lines: list[dict[str, Any]] = []
        if file.exists():
            first, *self.lines = [json.loads(text) for text in file.read_text().splitlines()]
            self.machine, self.failed = Hardware(**first["machine"]), first["failed"]

    @property
    def revisions(self) -> list[str]:
        """Of the code that was measured."""
        return sorted({line["revision"] for line in self.lines})

    def has(self, row: str, threads: int) -> bool:
        """Whether that network has been measured."""
        return any(line["row"] == row and line["threads"] == threads for line in self.lines)

    def forget(self, only: tuple[str, ...], counts: tuple[int, ...]) -> None:
        """Drop what is to be measured again."""
        self.lines = [line for line in self.lines if not (line["row"].startswith(only) and line["threads"] in counts)]

    def add(self, lines: list[dict[str, Any]]) -> None:
        """Keep what was found of a network."""
        self.machine = hardware()
        self.lines += [{**line, "revision": _revision()} for line in lines]
        self.write()

    def write(self) -> None:
        """Whole, or not at all."""
        texts = [{"machine": asdict(self.machine), "failed": self.failed}, *self.lines]
        unfinished = self._file.with_suffix(".unfinished")
        unfinished.write_text("".join(json.dumps(each) + "\n" for each in texts))
        unfinished.replace(self._file)


def _revision() -> str:
    command = ["git", "-C", str(RESULTS), "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
