"""The results as one picture: of every network the frames a second of each way, of those of the loop."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from bounds import beside, keys
from matplotlib import pyplot as plt
from names import BAKED, HELD, LOOP, MOVING, OURS, PLANE, named

# Ours are warm colours, what people have are cold ones; what has a moving alpha is lighter.
BARS = {
    "loop over enhance, held": (named(LOOP, HELD), "#111111"),
    "loop over enhance, moving": (named(LOOP, MOVING), "#7f7f7f"),
    "dni_runtime.vapoursynth, held": (named(OURS, HELD, 1, 4), "#d62728"),
    "dni_runtime.vapoursynth, moving": (named(OURS, MOVING, 1, 4), "#ff9896"),
    "vs-mlrt, baked file": (named(BAKED, HELD, 1, 4), "#1f77b4"),
    "vs-mlrt, plane file, moving": (named(PLANE, MOVING, 1, 4), "#9edae5"),
}


def plot(found: Mapping[str, Any], path: Path) -> None:
    jobs = [job for job in found.values() if named(LOOP, HELD) in keys(job)]
    figure, axes = plt.subplots(figsize=(10, 4), layout="constrained")
    width = 0.8 / len(BARS)
    for number, (label, (key, colour)) in enumerate(BARS.items()):
        for place, job in enumerate(jobs):
            ratio = beside(job, key, named(LOOP, HELD))
            if ratio is not None:
                left = place + (number - len(BARS) / 2) * width
                axes.bar(left, 1 / ratio.median, width, align="edge", color=colour, label="" if place else label)
    axes.axhline(1, color="0.6", lw=1, ls="--")
    axes.set(ylabel="speed, of the loop with alpha held")
    axes.set_xticks(range(len(jobs)), [job["network"] for job in jobs])
    axes.grid(axis="y", color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)
    plt.close(figure)
