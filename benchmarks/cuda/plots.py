"""One picture: every approach as a multiple of the best baked file's call."""

from pathlib import Path
from typing import Any

import names
from reading import Case, Results

_OURS, _BAKED, _OTHER = "#d62728", "#111111", "#7f9fbf"


def plot(results: Results, path: Path) -> bool:
    """Draw the cases of the middle size; False where matplotlib is not installed or there is nothing to draw."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    size = results.main_size()
    cases = [case for case in results.cases if case.size == size and case.best_baked is not None]
    if not cases:
        return False
    rows = [len(case.approaches) for case in cases]
    size_inches = (12, sum(rows) * 0.25 + len(cases))
    figure, all_axes = plt.subplots(
        len(cases), 1, figsize=size_inches, height_ratios=rows, layout="constrained", squeeze=False
    )
    for axes, case in zip(all_axes.flat, cases, strict=True):
        _bars(axes, case)
    figure.savefig(path, dpi=100, bbox_inches="tight")
    plt.close(figure)
    return True


def _bars(axes: Any, case: Case) -> None:
    drawn = [(name, ratio) for name in case.approaches if (ratio := case.ratio(name, case.best_baked))]
    for row, (name, ratio) in enumerate(drawn):
        colour = _OURS if name.startswith(names.OURS) else _BAKED if name in names.ALL_BAKED else _OTHER
        spread = [[ratio.median - ratio.low], [ratio.high - ratio.median]]
        axes.barh(row, ratio.median, color=colour, xerr=spread, ecolor="0.3", hatch="" if case.is_right(name) else "//")
        axes.text(ratio.high, row, f" {ratio.median:.2f}", va="center", fontsize=8, clip_on=True)
    axes.set_yticks(range(len(drawn)), [name for name, _ in drawn], fontsize=8)
    axes.invert_yaxis()
    axes.axvline(1, color=_BAKED, lw=1, ls="--")
    axes.set_title(str(case), loc="left", fontsize=10)
    axes.set_xlabel("x the best baked file's call")
    axes.set_xlim(0, min(8, max(ratio.high for _, ratio in drawn) * 1.15))
    axes.spines[["top", "right"]].set_visible(False)
