"""The benchmark as a page: bounds first, then pictures, then every table."""

from collections.abc import Callable, Sequence
from typing import Any

from bounds import MEMORY_SLACK, Bound

from dni_deploy.bench.measuring.spread import Spread
from dni_deploy.bench.report import Report
from dni_deploy.bench.table import FOOTPRINTS, LEGEND, TIMES, case_title, machine, model_title, remarks

_METHOD = f"""
All approaches run in one process, on the same image, in an order drawn anew for every round, after their results were
found equal to the alpha-input file's in a plain session (relative to max(1, largest output): 1e-5 in float32). Ratios
are taken within a round, and their median is given. Settings are those that a user has who changes none, spinning
threads included; as these would disturb whoever is called next, each timed call comes after a pause of 30 ms and, if
it takes less than 0.2 s, an untimed call of the same kind. Two sessions of one file are not equally fast for as long
as they live; for the bounds everything is closed, opened and measured again four times, all rounds counting alike, and
the baked file takes part twice: what its two sessions differ by is noise. Load time and memory are measured in fresh
processes, the system's file cache being warm, and torch.compile's too. One file per alpha: six strengths, of which a
cache holds three sessions; where alpha is new at every call, it never holds the next one.

Memory is bounded by {MEMORY_SLACK} x (weights of all endpoints + one pin + activations). Activations are the peak of a
bare session of the baked file while it runs, less its weights: the tensors between layers, and what ONNX Runtime
needs for one session.
"""


def page(report: Report, bounds: Sequence[Bound], overhead_ms: Spread) -> str:
    """Markdown."""
    lines = ["# Alpha is free", "", machine(report.hardware), _METHOD, "## What is promised", "", bounds_table(bounds)]
    lines += [
        f"\nA call of the runtime takes {overhead_ms.median * 1e3:.0f} us more than a bare session's "
        f"(quartiles {overhead_ms.low * 1e3:.0f}..{overhead_ms.high * 1e3:.0f}, {overhead_ms.count} pairs).\n",
        "## In pictures\n",
        "![Every approach beside a baked file](alpha_is_free_side_by_side.png)\n",
        "![Latency against how often alpha changes](alpha_is_free_change_rate.png)\n",
        "![Size on disk against the number of strengths](alpha_is_free_disk.png)\n",
        "## All times\n",
        *LEGEND,
    ]
    for case in report.cases:
        if case.rounds.held:
            lines += ["", f"### {case_title(case)}", "", _markdown(TIMES, case.rows), ""]
            lines += [f"{remark}  " for remark in remarks(case)]
    lines += ["", "## Load time, memory, disk", ""]
    for facts in report.models:
        lines += [f"### {model_title(facts)}", "", _markdown(FOOTPRINTS, facts.footprints), ""]
    lines += [f"- {note}" for note in report.notes]
    return "\n".join(lines) + "\n"


def bounds_table(bounds: Sequence[Bound]) -> str:
    """Failures first: they are what a reader has to know."""
    rows = ["| | where | measured | at most | | the baked file again (quartiles) |", "|---|---|---:|---:|---|---:|"]
    for bound in sorted(bounds, key=lambda bound: bound.holds):
        verdict = "holds" if bound.holds else "**does not hold**"
        value, limit = f"{bound.value:.3f} {bound.unit}", f"{bound.limit:.2f} {bound.unit}"
        control = bound.control
        noise = f"{control.median:.3f} ({control.low:.2f}..{control.high:.2f})" if control else ""
        rows.append(f"| {bound.what} | {bound.where} | {value} | {limit} | {verdict} | {noise} |")
    return "\n".join(rows)


def _markdown(columns: dict[str, Callable[[Any], str]], items: Sequence[Any]) -> str:
    titles = [title.strip() for title in columns]
    rows = [titles, ["---", *["---:"] * (len(titles) - 1)]]
    rows += [[cell(item).replace("*", r"\*") for cell in columns.values()] for item in items]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
