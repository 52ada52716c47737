"""The demo pair's measurements as tables and as a plot."""

from pathlib import Path
from typing import Any

DECIMALS = 3
Summary = dict[str, Any]
Style = dict[str, Any]


def rounded(value: Any) -> Any:
    """The same structure with every float cut to what the measurement is good for."""
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


def row(alphas: list[float], psnr_db: list[float], trained_db: float | None) -> list[str]:
    """weak, strong, best blend, best alpha, the network trained for this noise"""
    best = max(range(len(alphas)), key=psnr_db.__getitem__)
    cells = [f"{psnr_db[-1]:.2f}", f"{psnr_db[0]:.2f}", f"**{psnr_db[best]:.2f}**", f"{alphas[best]:.2f}"]
    return [*cells, "" if trained_db is None else f"{trained_db:.2f}"]


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def markdown(summary: Summary) -> str:
    weak, strong = summary["endpoints"]["weak"], summary["endpoints"]["strong"]
    names = summary["photographs"]
    columns = [f"weak ({weak})", f"strong ({strong})", "best blend", "best alpha", "trained for it"]
    mean, single = [], []
    for curve in summary["curves"]:
        sigma, alphas = str(curve["sigma"]), curve["alphas"]
        mean.append([sigma, *row(alphas, curve["mean_db"], curve["trained_mean_db"])])
        single += [[n, sigma, *row(alphas, curve["psnr_db"][n], curve["trained_db"].get(n))] for n in names]
    single.sort(key=lambda cells: names.index(cells[0]))
    verdict = {True: "holds", False: "**does not hold**"}
    claims = "".join(f"- {claim}: {verdict[holds]}\n" for claim, holds in summary["claims"].items())
    return f"""# The demo pair, measured

PSNR in dB on {len(names)} held-out photographs ({", ".join(names)}) with Gaussian noise of the given sigma,
of 255. The blend is `alpha * weak + (1 - alpha) * strong` over all weights, with alpha on a grid of
{alphas[1]:g}. "Trained for it" is a network of the same shape, fine-tuned from the weak one for that noise
alone, with the budget of the strong one; none of the networks is trained to its limit.

![PSNR against alpha](demo_pair.png)

{claims}
## Averaged over the photographs

{table(["noise", *columns], mean)}
## Each photograph

{table(["photograph", "noise", *columns], single)}
Measured by `benchmarks/demo_pair/evaluate.py`; all values are in `demo_pair.json`.
"""


def plot(summary: Summary, path: Path) -> None:
    """PSNR against alpha, a curve for each noise level with its best point marked."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D

    curves, ends = summary["curves"], summary["endpoints"]
    figure, axes = plt.subplots(figsize=(8, 5.2), layout="constrained")
    colours = matplotlib.colormaps["viridis"]
    beside: Style = {"xytext": (9, 0), "textcoords": "offset points", "va": "center"}
    below: Style = {"xytext": (0, -7), "textcoords": "offset points", "ha": "center", "va": "top"}
    marker: Style = {
        "marker": "o",
        "ms": 8,
        "mec": "white",
        "mew": 1.2,
        "ls": "",
        "clip_on": False,
        "zorder": 3,
    }
    dashes: Style = {"ls": (0, (5, 3)), "lw": 1.2, "zorder": 1}
    for index, curve in enumerate(curves):
        colour = colours(0.82 * index / (len(curves) - 1))
        alphas, mean = curve["alphas"], curve["mean_db"]
        best = max(range(len(alphas)), key=mean.__getitem__)
        axes.plot(alphas, mean, color=colour, lw=2)
        axes.plot(alphas[best], mean[best], color=colour, **marker)
        axes.annotate(f"{alphas[best]:.2f}", (alphas[best], mean[best]), color=colour, fontsize=9, **below)
        axes.annotate(f"noise {curve['sigma']}", (1, mean[-1]), color=colour, **beside)
        if curve["trained_mean_db"] is not None:
            axes.axhline(curve["trained_mean_db"], color=colour, **dashes)
    axes.set_xlim(0, 1)
    axes.set_xlabel(f"alpha, the share of the weak network (0: for noise {ends['strong']}, 1: for {ends['weak']})")
    axes.set_ylabel(f"PSNR in dB, mean of {len(summary['photographs'])} held-out photographs")
    axes.set_title("Two denoisers, and every strength between them", loc="left", pad=14)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    keys = [
        Line2D([], [], color="0.35", label="best blend, and its alpha", **marker),
        Line2D([], [], color="0.35", label="network trained for that noise", **dashes),
    ]
    axes.legend(handles=keys, frameon=False, loc="lower left")
    figure.savefig(path, dpi=130, bbox_inches="tight")
    plt.close(figure)
