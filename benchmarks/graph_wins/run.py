"""What the graphs gain that are made to run faster on a CPU: before and after, on the models that are named.

    python benchmarks/graph_wins/run.py real-cugan.onnx waifu2x-cunet.onnx waifu2x-photo.onnx

takes a minute a model on two cores, nothing else running, and writes benchmarks/results/graph_wins.json and the table
in graph_wins.md, whose words stay.
"""

import json
import os
from dataclasses import asdict
from pathlib import Path

import click

RESULTS = Path(__file__).resolve().parents[1] / "results"
SIZES = (64, 128, 256)
_BEGIN, _END = "<!-- table -->", "<!-- end of table -->"


@click.command()
@click.argument("models", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--threads", type=int, multiple=True, default=(2, 1))
@click.option("--sizes", type=int, multiple=True, default=SIZES)
@click.option("--blocks", default=7, show_default=True, help="Pairs of blocks of calls for each number.")
def main(models: tuple[Path, ...], threads: tuple[int, ...], sizes: tuple[int, ...], blocks: int) -> None:
    """Measure MODELS, alpha-input files, and write the page's table."""
    os.environ["DNI_CACHE_DIR"] = ""  # both ways are prepared here
    from measure import compare, largest_difference, load

    rows = []
    for file in models:
        for count in threads:
            with load(file, count, before=True) as before, load(file, count, before=False) as after:
                for size in sizes:
                    error = largest_difference(before, after, size)
                    assert error <= 1e-5, f"{file.name} at {size}: {error}"
                    for moving in (False, True):
                        found = compare(before, after, size, moving=moving, blocks=blocks)
                        row = {
                            "model": file.stem,
                            "size": size,
                            "threads": count,
                            "moving": moving,
                            "difference": error,
                        }
                        rows.append(row | asdict(found))
                        click.echo(rows[-1])
    (RESULTS / "graph_wins.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    page = RESULTS / "graph_wins.md"
    head, rest = page.read_text(encoding="utf-8").split(_BEGIN)
    page.write_text(f"{head}{_BEGIN}\n{_table(rows)}\n{_END}{rest.split(_END)[1]}", encoding="utf-8")


def _table(rows: list[dict[str, object]]) -> str:
    lines = [
        "| model | image | threads | alpha | before, ms | after, ms | ratio (quartiles) | largest difference |",
        "|---|---:|---:|---|---:|---:|---|---:|",
    ]
    for row in rows:
        low, high = row["quartiles"]  # type: ignore[misc]
        alpha = "new" if row["moving"] else "held"
        lines.append(
            f"| {row['model']} | {row['size']} | {row['threads']} | {alpha} | {row['before_ms']:.1f} | "
            f"{row['after_ms']:.1f} | {row['ratio']:.2f} ({low:.2f} to {high:.2f}) | {row['difference']:.0e} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
