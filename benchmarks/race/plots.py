"""The race as one picture: of every network and size who is how fast, and what callers get."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from bounds import Case, beside, moving_beside_held, where
from matplotlib import pyplot as plt
from pytorch import COMPILED, EAGER
from ways import BAKED_OPENVINO, OURS_OPENVINO, PUBLISHED_NCNN

from dni_deploy.bench.approaches.lineup import BAKED, FASTEST, NAIVE, NCNN, OPENVINO, OURS

# Ours are warm colours, what people have are cold ones.
COLOURS = {
    FASTEST: "#d62728",
    OURS: "#ff7f0e",
    NCNN: "#e377c2",
    OURS_OPENVINO: "#bcbd22",
    BAKED: "#111111",
    NAIVE: "#7f7f7f",
    BAKED_OPENVINO: "#17becf",
    OPENVINO: "#9edae5",
    PUBLISHED_NCNN: "#1f77b4",
    EAGER: "#2ca02c",
    COMPILED: "#98df8a",
}


def plot(cases: Sequence[Case], callers: Sequence[Any], path: Path) -> None:
    """Two columns of dots, alpha held and moving, a line for each case; below them answers a second by callers."""
    rows = 2 if callers else 1
    height = 1.5 + 0.45 * len(cases)
    figure = plt.figure(figsize=(12, height + 3.5 * (rows - 1)), layout="constrained")
    upper, *lower = figure.subfigures(rows, 1, height_ratios=[height, 3.5][:rows], squeeze=False)[:, 0]
    _dots(upper, cases)
    if lower:
        _curves(lower[0], callers)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _dots(figure: Any, cases: Sequence[Case]) -> None:
    phases = figure.subplots(1, 2, sharey=True)
    for axes, title in zip(phases, ("alpha held", "new alpha at every call"), strict=True):
        for line, case in enumerate(reversed(cases)):
            for way, colour in COLOURS.items():
                ratio = _ratio(case, way, moving=axes is phases[1])
                if ratio is not None:
                    size = 60 if way in (FASTEST, OURS) else 30
                    axes.scatter(min(ratio, 2.4), line, s=size, color=colour, zorder=3 if size > 30 else 2)
        axes.axvline(1, color="0.6", lw=1, ls="--")
        axes.set(xlim=(0.5, 2.5), xlabel=f"x {OURS} with its alpha held")
        axes.set_yticks(range(len(cases)), [where(case) for case in reversed(cases)])
        _dress(axes, title)
    seen = {row["approach"] for case in cases for row in case["rows"]}
    handles = [plt.Line2D([], [], marker="o", ls="", color=COLOURS[way], label=way) for way in COLOURS if way in seen]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False, fontsize=9)


def _ratio(case: Case, way: str, *, moving: bool) -> float | None:
    if moving:
        return moving_beside_held(case, way, OURS)
    ratio = beside(case, "held", way, OURS)
    return None if ratio is None else ratio.median


def _curves(figure: Any, callers: Sequence[Any]) -> None:
    every = figure.subplots(1, len(callers), squeeze=False)[0]
    for axes, row in zip(every, callers, strict=True):
        by_way: dict[str, list[tuple[int, float]]] = {}
        for each in row["served"]:
            by_way.setdefault(each["way"], []).append((each["clients"], each["per_second"]))
        for number, (way, points) in enumerate(by_way.items()):
            axes.plot(*zip(*sorted(points), strict=True), marker="o", ms=4, color=f"C{number}", label=way)
        clients = sorted({each["clients"] for each in row["served"]})
        axes.set(xscale="log", xlabel="callers at once", ylabel="answers a second", ylim=(0, None))
        axes.set_xticks(clients, map(str, clients))
        axes.minorticks_off()
        _dress(axes, f"{row['model']}, {row['size']} x {row['size']}")
    handles, labels = every[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)


def _dress(axes: Any, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
