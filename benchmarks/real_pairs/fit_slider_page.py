"""The page and the plot of the slider: what lies between the published levels, beside them."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")

from matplotlib import pyplot as plt

Record = dict[str, Any]

# key: its name, its digits, and whether more of it is better.
MEASURES = {"psnr_db": ("PSNR, dB", 2, True), "gradient_deviation": ("GMSD", 4, False)}


def means(results: Record, damage: str, measure: str) -> dict[float, float]:
    """place -> the mean over the photographs"""
    rows = [row for row in results["rows"] if row["damage"] == damage]
    places = sorted({row["place"] for row in rows})
    return {place: float(np.mean([row[measure] for row in rows if row["place"] == place])) for place in places}


def page(results: Record) -> str:
    """Markdown, of what fit_slider.py wrote as JSON."""
    rows = results["rows"]
    names, damages = (list(dict.fromkeys(row[key] for row in rows)) for key in ("photograph", "damage"))
    return f"""# One slider through five published networks

waifu2x cunet (nagadomi): {", ".join(f"{name} at {n}" for n, name in enumerate(results["levels"]))}. One file of
{results["bytes"] / 1e6:.1f} MB, whose `alpha` goes from 0 to 4 and is exactly a published network at whole numbers. The
straight line does not blend between the first two; a middle that `dni fit` learnt is between them
([real_pairs_fit.md](real_pairs_fit.md)). The file's verdict, from quarter to quarter:

> {results["verdict"]}

![Along the slider](real_pairs_slider_sheet.jpg)

{len(names)} photographs ({", ".join(names)}), halved, then made noisy (sigma of 255) or compressed (JPEG quality),
enlarged at every quarter of the slider, and held against the photograph before it was halved: PSNR, and GMSD (gradient
magnitude similarity deviation, arXiv 1308.3052), where less is better. The means:

{"".join(_table(results, damages, measure) for measure in MEASURES)}
{_told(results, damages)}

![Along the slider, by damage](real_pairs_slider.png)

**What such a slider is for**: not for more decibels than the right level gives. It is for taste and for moving
pictures: how much of the grain stays is set as finely as one likes and changes without a jump (the PSNR between
neighbours on the sheet is {min(results["steps_db"]):.1f} dB or more, between neighbouring levels
{_levels_apart(results):.1f}), and one file takes the place of {len(results["levels"])}.
"""


def _best(results: Record, damage: str, measure: str) -> tuple[float, float, float, float]:
    """The best published level and what it gives; the best place of all and what that gives."""
    found, more = means(results, damage, measure), MEASURES[measure][2]
    choose = max if more else min
    level, place = (choose(places, key=found.__getitem__) for places in ([p for p in found if p % 1 == 0], list(found)))
    return level, found[level], place, found[place]


def _table(results: Record, damages: list[str], measure: str) -> str:
    name, digits, _ = MEASURES[measure]
    levels = results["levels"]
    head = f"| {name} | {' | '.join(levels)} | best place | there | beyond the best level |\n"
    lines = [head, f"|---|{'---:|' * (len(levels) + 3)}\n"]
    for damage in damages:
        found = means(results, damage, measure)
        _, at_level, place, there = _best(results, damage, measure)
        cells = [f"{found[float(number)]:.{digits}f}" for number in range(len(levels))]
        more = f"{abs(there - at_level):.{digits}f}" if place % 1 else "-"
        lines.append(f"| {damage} | {' | '.join(cells)} | {place:g} | {there:.{digits}f} | {more} |\n")
    return "".join(lines) + "\n"


def _told(results: Record, damages: list[str]) -> str:
    lines = []
    for measure, (name, digits, _) in MEASURES.items():
        found = [_best(results, damage, measure) for damage in damages]
        between = sum(place % 1 > 0 for _, _, place, _ in found)
        gain = max(abs(there - level) for _, level, _, there in found)
        lines.append(
            f"- {name}: in {len(found) - between} of {len(found)} cases the best place is a published level; between "
            f"them at most {gain:.{digits}f} is gained over the best of them."
        )
    return "\n".join(lines)


def _levels_apart(results: Record) -> float:
    return float(min(results["levels_db"]))


def plot(results: Record, path: Path) -> None:
    """Both measures along the slider, for noise and for JPEG; the published levels as dots."""
    damages = list(dict.fromkeys(row["damage"] for row in results["rows"]))
    kinds = list(dict.fromkeys(damage.split()[0] for damage in damages))
    figure, grid = plt.subplots(len(MEASURES), len(kinds), figsize=(9, 7), layout="constrained", sharex=True)
    for row, (measure, (name, _, _)) in enumerate(MEASURES.items()):
        for column, kind in enumerate(kinds):
            axes = grid[row][column]
            for damage in (each for each in damages if each.startswith(kind)):
                found = means(results, damage, measure)
                (line,) = axes.plot(list(found), list(found.values()), lw=1.5, label=damage)
                whole = [place for place in found if place % 1 == 0]
                axes.plot(whole, [found[place] for place in whole], ls="", marker="o", ms=5, color=line.get_color())
            axes.set_ylabel(name if column == 0 else "")
            axes.set_xticks(range(len(results["levels"])), results["levels"])
            axes.grid(color="0.94")
            axes.spines[["top", "right"]].set_visible(False)
            if row == 0:
                axes.legend(frameon=False, fontsize=8)
    figure.suptitle("Dots: the five published networks; lines: one file's slider", fontsize=11)
    figure.savefig(path, dpi=110)
    plt.close(figure)
