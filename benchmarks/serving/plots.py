"""The benchmark as one picture: batching, the way through the server, memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from batching import DIFFERENT, EQUAL, Batching
from bounds import DIFFERENT_AT_LEAST
from matplotlib import pyplot as plt
from overhead import WAYS, Overhead
from soak import Soak

_COLOURS = {EQUAL: "#d62728", DIFFERENT: "#1f77b4", **dict(zip(WAYS, ("#8c564b", "#2ca02c", "#9467bd"), strict=True))}
_MARKERS = "osD^v"


def plot(batching: Sequence[Batching], overhead: Sequence[Overhead], soak: Soak | None, path: Path) -> None:
    """Three panels beside each other; the last one is empty without a soak."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    _plot_batching(left, batching)
    _plot_overhead(middle, overhead)
    _plot_soak(right, soak)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def _plot_batching(axes: Any, rows: Sequence[Batching]) -> None:
    cases = list(dict.fromkeys((row.network, row.size) for row in rows))
    for (network, size), marker in zip(cases, _MARKERS, strict=False):
        for alphas in (EQUAL, DIFFERENT):
            taken = [row for row in rows if (row.network, row.size, row.alphas) == (network, size, alphas)]
            axes.plot(
                [row.clients for row in taken],
                [row.ratio.median for row in taken],
                color=_COLOURS[alphas],
                marker=marker,
                ms=5,
                lw=1.6,
                label=f"{network} {size} x {size}, alphas {alphas}",
            )
    axes.axhline(1, color="#111111", lw=1)
    axes.axhline(DIFFERENT_AT_LEAST, color="#111111", lw=1, ls=":")
    ticks = sorted({row.clients for row in rows})
    axes.set(xscale="log", xlabel="clients that ask at the same time", ylabel="answers a second, x those without")
    axes.set_xticks(ticks, [str(n) for n in ticks])
    axes.minorticks_off()
    _dress(axes, "Batches of up to 8, against none")
    axes.legend(frameon=False, fontsize=8)


def _plot_overhead(axes: Any, rows: Sequence[Overhead]) -> None:
    # Of the network that takes no time: beside the others' calls, the way disappears in their noise.
    first = [row for row in rows if row.network == rows[0].network]
    sizes = sorted({row.size for row in first})
    for way in WAYS:
        taken = [row for row in first if row.way == way]
        for style, values in (("-", [row.more_p50_ms for row in taken]), (":", [row.more_p99_ms for row in taken])):
            label = f"{way}, {'median' if style == '-' else '99 %'}"
            axes.plot([row.size for row in taken], values, color=_COLOURS[way], ls=style, marker="o", ms=4, label=label)
    axes.set(xscale="log", yscale="log", xlabel="height and width of the image", ylabel="ms more than a bare session")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    _dress(axes, "The way to the server and back")
    axes.legend(frameon=False, fontsize=8)


def _plot_soak(axes: Any, soak: Soak | None) -> None:
    _dress(axes, "Memory under constant load")
    axes.set(xlabel="minutes", ylabel="MB, all processes of the server")
    if soak is None:
        return
    axes.plot(*zip(*soak.samples, strict=True), color="#d62728", lw=1.4)
    axes.axvline(soak.settled_min, color="#111111", lw=1, ls=":")
    axes.set_ylim(0, None)
    text = f"{soak.slope_mb_h:+.1f} ± {soak.uncertainty_mb_h:.1f} MB an hour"
    axes.text(0.97, 0.06, text, transform=axes.transAxes, ha="right")


def _dress(axes: Any, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
