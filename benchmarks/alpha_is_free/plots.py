"""The benchmark as three pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator
from pytorch import COMPILED, EAGER, RELOADED

from dni_deploy.bench.approaches.lineup import BAKED, CACHE, MIXING, NAIVE, OPENVINO, OURS
from dni_deploy.bench.report import Case, ModelFacts

# Ours stands out, its yardstick is black, the others keep a colour each through all pictures.
COLOURS = {
    OURS: "#d62728",
    BAKED: "#111111",
    NAIVE: "#1f77b4",
    EAGER: "#2ca02c",
    COMPILED: "#98df8a",
    RELOADED: "#8c564b",
    CACHE: "#9467bd",
    MIXING: "#7f7f7f",
    OPENVINO: "#17becf",
}
_OTHER = "#bcbd22"
_STRENGTHS = range(1, 22)


def plot_change_rate(case: Case, path: Path) -> None:
    """Mean latency of a call against how often alpha changes."""
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for name, by_n in case.by_change_rate.items():
        style: dict[str, Any] = {"lw": 3, "zorder": 3} if name == OURS else {"lw": 1.6}
        style |= {"ls": "--"} if name == BAKED else {"marker": "o", "ms": 5}
        label = f"{name}, alpha never changes" if name == BAKED else name
        axes.plot(list(by_n), list(by_n.values()), color=_colour(name), label=label, **style)
    axes.set(xscale="log", yscale="log", xlabel="alpha changes at every n-th call", ylabel="mean ms per call")
    ticks = list(next(iter(case.by_change_rate.values())))
    axes.set_xticks(ticks, [str(n) for n in ticks])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter("{x:g}")
    _dress(axes, f"What a change of alpha costs: {case.model}, {case.height} x {case.width}, {case.threads} threads")
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    _save(figure, path)


def plot_disk(models: Sequence[ModelFacts], path: Path) -> None:
    """Megabytes on the disk against the number of strengths that are offered."""
    figure, all_axes = plt.subplots(1, len(models), figsize=(4 * len(models), 4), layout="constrained", squeeze=False)
    for axes, facts in zip(all_axes[0], models, strict=True):
        by_name = {footprint.approach: footprint for footprint in facts.footprints}
        baked, ours, eager = (by_name.get(name) for name in (BAKED, OURS, EAGER))
        counts = list(_STRENGTHS)
        if baked is not None:
            files = [n * baked.disk_bytes / 1e6 for n in counts]
            axes.plot(counts, files, color=_colour(CACHE), lw=2, label="one file per strength")
        flat = [(ours, OURS, "one alpha-input file", 0), (eager, EAGER, "two checkpoints (PyTorch)", 0)]
        flat.insert(1, (ours, NAIVE, "with the runtime's cache", ours.cache_bytes if ours else 0))
        for footprint, colour, label, more in flat:
            if footprint is not None:
                level = (footprint.disk_bytes + more) / 1e6
                style = "--" if colour == EAGER else "-"
                axes.plot(counts, [level] * len(counts), color=_colour(colour), lw=2, ls=style, label=label)
        axes.set(
            xlabel="strengths", ylabel="MB on the disk", xlim=(1, counts[-1]), ylim=(0, None), xticks=[1, 5, 10, 15, 20]
        )
        _dress(axes, facts.model)
    all_axes[0][0].legend(frameon=False, fontsize=9)
    _save(figure, path)


def plot_side_by_side(cases: Sequence[Case], path: Path) -> None:
    """Each approach as a multiple of a baked file's call: alpha held, new at every call, first call after a change."""
    figure, all_axes = plt.subplots(len(cases), 1, figsize=(9, 3 * len(cases)), layout="constrained", squeeze=False)
    for axes, case in zip(all_axes[:, 0], cases, strict=True):
        rows = [row for row in case.rows if row.approach != BAKED]
        for number, row in enumerate(rows):
            bars = [row.held_ratio, row.moving_ratio, row.first_ratio]
            for group, ratio in enumerate(bars):
                if ratio is None:
                    continue
                x = group + (number - (len(rows) - 1) / 2) * 0.8 / len(rows)
                spread = [[ratio.median - ratio.low], [ratio.high - ratio.median]]
                label = row.approach if group == 0 else None
                hatch = None if row.exact else "////"
                axes.bar(x, ratio.median, 0.8 / len(rows), color=_colour(row.approach), label=label, hatch=hatch)
                axes.errorbar(x, ratio.median, spread, color="0.2", lw=1, capsize=2)
        axes.axhline(1, color=_colour(BAKED), lw=1.2, ls="--")
        axes.set_xticks(range(3), ["alpha held", "new alpha at every call", "first call after a change"])
        axes.set(ylabel="x a baked file's call", yscale="log")
        axes.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
        axes.minorticks_off()
        _dress(axes, f"{case.model}, {case.height} x {case.width}, {case.threads} threads")
    all_axes[0][0].legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    _save(figure, path)


def _colour(name: str) -> str:
    return COLOURS.get(name, _OTHER)


def _dress(axes: Any, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)
