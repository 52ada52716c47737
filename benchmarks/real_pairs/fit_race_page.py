"""The race as tables: what learnt what, in how much time."""

from collections.abc import Iterator
from typing import Any

from fit_measure import limits

Record = dict[str, Any]

# What a variant says of itself where it is not as the first of its pair.
_WORDS = {
    "rate": "a rate of {}",
    "optimizer": "{}",
    "crops": "crops a step: {}",
    "side_px": "of {} pixels",
    "plain": "photographs neither shrunk nor in other colours",
    "loss": "loss {}",
    "alphas": "alphas {}",
    "middles": "{} middles (cubic)",
    "average": "averaged by {}",
    "warm": "from the middle of a sibling pair on",
    "steps": "{} steps",
}


def race(rows: list[Record]) -> str:
    """A section of the page, of what fit_race.py wrote as JSON."""
    if not rows:
        return ""
    first = rows[0]
    return f"""## What learns fastest

One loop, of which one thing at a time is another (`fit_race.py`), few steps each: {first["optimizer"]} at a rate of
{first["rate"]:g}, which falls with a cosine, {first["crops"]} crops of {first["side_px"]} pixels a step, shrunk and in
other colours, {first["loss"]}, alpha evenly drawn and {first["alphas"]}, from the straight line on. Figures as above;
CPU seconds of learning alone.

{"".join(_of_pair(pair, rows) for pair in dict.fromkeys(row["pair"] for row in rows))}"""


def _of_pair(pair: str, rows: list[Record]) -> str:
    own = [row for row in rows if row["pair"] == pair]
    head = f"| {pair}, {own[0]['steps']} steps | to the mix | the mean | shift | contrast | detail | CPU seconds |\n"
    return f"{head}|---|---:|---:|---:|---:|---:|---:|\n{''.join(_row(row, own[0]) for row in own)}\n"


def _row(row: Record, first: Record) -> str:
    db, shift, contrast, detail = limits(row)
    name = ", ".join(_differs(row, first)) or "as above"
    return (
        f"| {name} | {db:.1f} | {row['mean_db']:.1f} | {shift:.1f} | {contrast:.2f} | {detail:.2f} "
        f"| {row['cpu_seconds']:.0f} |\n"
    )


def _differs(row: Record, first: Record) -> Iterator[str]:
    for key, words in _WORDS.items():
        if row.get(key, first.get(key)) != first.get(key):
            yield words.format(f"{row[key]:g}" if isinstance(row[key], float) else row[key])
