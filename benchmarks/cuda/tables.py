"""The results as tables in Markdown."""

from collections.abc import Iterator, Sequence
from statistics import median

import names
from bounds import Bound, unmeasured
from reading import Case, Record, Results

from dni_deploy.bench.measuring.spread import Spread

_MIB = 2**20


def markdown(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def bounds_table(bounds: list[Bound]) -> str:
    rows = []
    for bound in bounds:
        verdict = "held" if bound.holds else "**missed**"
        around = "" if bound.around is None else f"{bound.around.low:.3f}..{bound.around.high:.3f}"
        limit = f"{'<' if bound.strict else '<='} {bound.limit:g}"
        rows.append([bound.what, bound.where, f"{bound.value:.4g}", around, limit, verdict])
    rows += [[what, "", "not measured", "", "", ""] for what in unmeasured(bounds)]
    return markdown(["", "where", "measured", "quartiles", "bound", ""], rows)


def case_table(case: Case) -> str:
    """All approaches of a case, fastest first."""
    best = case.best_baked
    rows = []
    for name in case.approaches:
        latency, ratio = case.latency(name), case.ratio(name, best)
        assert latency is not None
        error = case.errors.get(name)
        wrong = "" if case.is_right(name) else " (**wrong results**)"
        times = [f"{latency.median:.3f}", f"{latency.p95:.3f}"]
        rows.append([name + wrong, *times, _ratio(ratio), "" if error is None else f"{error:.1e}", str(latency.count)])
    return markdown(["approach", "ms", "p95", "x best baked (quartiles)", "difference", "rounds"], rows)


def _ratio(ratio: Spread | None) -> str:
    return "" if ratio is None else f"{ratio.median:.3f} ({ratio.low:.3f}..{ratio.high:.3f})"


def change_table(results: Results) -> str:
    """What a change of alpha costs by itself, in every way, and how near to the card's memory ours is."""
    rows = []
    for case in results.cases:
        where = {"network": case.network, "dtype": case.dtype, "size": case.size}
        ours, copy = case.change(), results.last("copy", **where)
        session = results.last("change", **where)
        cells = [str(case)]
        cells += ["" if ours is None else f"{ours.median:.3f} ({ours.low:.3f}..{ours.high:.3f})"]
        cells += [_ms(case, names.BLEND_TORCH), _ms(case, names.LOAD_CONSTANTS)]
        cells += ["" if session is None or case.compiled else f"{session['ms']:.0f}"]
        if copy is None or case.compiled:
            cells += ["", "", ""]
        else:
            moved = copy["moved_bytes"] / 1e6
            speed = "" if ours is None or ours.median <= 0 else f"{moved / ours.median:.0f}"
            cells += [f"{copy['ms']:.4f}", speed, f"{moved / copy['ms']:.0f}"]
        rows.append(cells)
    titles = ["", "dni_runtime", "PyTorch blends", "and load_constants", "new session", "copy"]
    return markdown([*titles, "GB/s of our blend", "GB/s of a copy"], rows)


def _ms(case: Case, name: str) -> str:
    latency = case.latency(name)
    return "" if latency is None else f"{latency.median:.3f}"


def memory_table(results: Results) -> str:
    """Time and memory of opening, and of the first calls of the middle size, compiling included."""
    opened = {_who(record): record for record in results.of_kind("opened") if "compiled" not in record}
    firsts = {_who(record): record for record in results.of_kind("first", size=results.main_size())}
    rows = []
    for who in dict.fromkeys((*opened, *firsts)):
        steps = [opened.get(who), firsts.get(who)]
        times = ["" if step is None else f"{step['ms'] / 1e3:.2f}" for step in steps]
        sizes = ["" if step is None else f"{step['memory_bytes'] / _MIB:.0f}" for step in steps]
        rows.append([f"{who[0]}, {who[1]}", who[2], *times, *sizes])
    return markdown(["", "approach", "open, s", "first two calls, s", "open, MiB", "first calls, MiB"], rows)


def _who(record: Record) -> tuple[str, str, str]:
    return record["network"], record["dtype"], record["approach"]


def photo_table(results: Results) -> str:
    rows = []
    for record in results.of_kind("photo"):
        enhance, tile = (median(taken[name] for taken in record["rounds"]) for name in ("enhance", "tile"))
        own = tile * record["tiles"]
        where = f"{record['network']}, {record['dtype']}, {record['width']} x {record['height']}"
        rows.append([where, f"{enhance:.0f}", f"{record['tiles']} x {tile:.1f} = {own:.0f}", f"{enhance / own:.2f}"])
    return markdown(["", "enhance, ms", "network alone, ms", "ratio"], rows)


def remarks(results: Results) -> Iterator[str]:
    """What went otherwise than it should: skipped, failed, and how our runtime says it takes alpha."""
    for record in results.of_kind("skipped"):
        yield f"skipped: {record['what']} ({record['reason']})"
    for record in results.of_kind("failed"):
        where = ", ".join(str(record[key]) for key in ("network", "dtype", "size", "approach") if record.get(key))
        yield f"failed: {where}: {' '.join(record['error'].split())[:300]}"
    notes = {f"{r['network']}, {r['dtype']}": r["note"] for r in results.of_kind("opened", approach=names.OURS)}
    for where, note in notes.items():
        yield f"dni_runtime, {where}: {note}"
