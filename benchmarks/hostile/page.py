"""The benchmark as a page: the faults first, each with how to see it again, then what was tried and what came of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from outcome import EXPLAINED, FAULTS, REFUSED, RIGHT

from dni_deploy.bench.measuring.hardware import Hardware
from dni_deploy.bench.table import machine

_METHOD = """
Models, checkpoints and pictures come from strangers, and so do requests. `python benchmarks/hostile/run.py --cache
FOLDER` fetches the corpora below by package name, makes the other inputs from a seed, and gives each to what a user
would call: pictures to `read_image` and to `dni run` on a folder with good ones beside, whose results have to be right;
models to `dni inspect`, `dni_runtime.load` and a call, `dni ship triton` and `dni ship web`; checkpoints to
`dni inspect` and `dni blend`. Each of these is a process of its own, forked from one in which everything is imported,
so that a crash, a hang and memory count for one input alone.

What is generated is read by parsers of its format (Python's, protobuf's, JSON's). Results are compared: pictures with
Pillow, pypng and with themselves, read twice into memory that was filled with other bytes; models with ONNX Runtime
on the file as it is; blends with what `torch.load` without a memory map reads. Python's audit events tell of programs,
connections, pickles' globals and files opened outside; inotify of files that nobody may open, from C code too; what
lies around the input is compared with what lay there before; whole processes are watched by strace for a sample.

Not bounded by anything, and so not tried: how long a network computes (a loop of a billion turns is a network), and how
long ONNX Runtime takes to open a graph, which for a chain of 5,000 nodes in a file of 113 kB is 18 s of processor time.
Links that a user names are followed wherever they lead: it is what models name that stays in their folder.
"""


def page(
    head: Mapping[str, Any],
    hardware: Hardware,
    rows: Sequence[Mapping[str, Any]],
    found: Sequence[Mapping[str, Any]],
    before: Sequence[Mapping[str, Any]],
) -> str:
    """Markdown. `rows`: `outcome.count`'s; `found`: `outcome.faults`'; `before`: lines of an earlier hostile.jsonl."""
    files = {(row["kind"], row["family"]): row["inputs"] for row in rows}
    lines = ["# Files and requests from strangers", "", machine(hardware), ""]
    lines += [
        f"{sum(files.values()):,} inputs, {_minutes(head)}, seed {head['seed']}, revision {head['revision']}:",
        "",
    ]
    lines += [*_summary(rows), "", "## Faults", ""]
    lines += _faults(found) if found else ["None."]
    if head["not_run"]:
        lines += ["", "Not run:", "", *(f"- {what}" for what in head["not_run"])]
    if head["remarks"]:
        lines += ["", *(f"- {remark}" for remark in head["remarks"])]
    lines += [
        "",
        "## What is tried",
        _METHOD,
        *_meanings(),
        "",
        *_sources(head["sources"]),
        "",
        "## Everything",
        "",
        *_rows(rows),
    ]
    if before:
        earlier = [line["fault"] for line in before[1:] if "fault" in line]
        lines += ["", "## Before", "", *_before(earlier, before[0])]
    return "\n".join(lines) + "\n"


def _minutes(head: Mapping[str, Any]) -> str:
    return f"{head['seconds'] / 60:.0f} minutes"


def _summary(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A row for each kind and way, over all families."""
    lines = [
        "| kind | way | inputs | right | refused | faults | longest | peak |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["kind"], row["way"]), []).append(row)
    for (kind, way), group in groups.items():
        total = {key: sum(row["outcomes"].get(key, 0) for row in group) for key in (RIGHT, REFUSED, *FAULTS)}
        bad = sum(total[fault] for fault in FAULTS)
        longest, peak = max(row["longest_s"] for row in group), max(row["peak_mb"] for row in group)
        lines.append(
            f"| {kind} | {way} | {sum(total.values()):,} | {total[RIGHT]:,} | {total[REFUSED]:,} | "
            f"{f'**{bad}**' if bad else 0} | {longest:.1f} s | {peak:,.0f} MB |"
        )
    return lines


def _faults(found: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "| fault | kind | way | inputs | one of them | SHA-256 | what happened |",
        "|---|---|---|---:|---|---|---|",
    ]
    lines += [
        f"| {f['result']} | {f['kind']} | {f['way']} | {f['inputs']} | {_cell(f['family'])}: "
        f"{_cell(f['name'][:100])} | {f['sha256'][:16]} | {_cell(f['detail'][:160])} |"
        for f in found
    ]
    return [
        *lines,
        "",
        "One of them again: `run.py --only KIND --name 'NAME' -o FOLDER --details`, with the same seed.",
    ]


def _before(before: Sequence[Mapping[str, Any]], head: Mapping[str, Any]) -> list[str]:
    lines = [
        f"What the same benchmark finds in files, one of {head['every']}, in revision {head['revision']}, before these "
        "holes were looked for:",
        "",
        "| fault | kind | way | inputs | one of them | what happened |",
        "|---|---|---|---:|---|---|",
    ]
    return lines + [
        f"| {f['result']} | {f['kind']} | {f['way']} | {f['inputs']} | {_cell(f['family'])}: "
        f"{_cell(f['name'][:80])} | {_cell(f['detail'][:100])} |"
        for f in before
    ]


def _meanings() -> list[str]:
    return ["| outcome | means |", "|---|---|", *(f"| {name} | {what} |" for name, what in EXPLAINED.items())]


def _sources(sources: Sequence[Mapping[str, str]]) -> list[str]:
    lines = ["| package | version | from | licence | what is taken | SHA-256 |", "|---|---|---|---|---|---|"]
    how = {"sdist": "PyPI, source", "wheel": "PyPI, wheel", "deb": "Debian"}
    return lines + [
        f"| {s['name']} | {s['version']} | {how[s['how']]} | {s['licence']} | {s['what']} | `{s['sha256'][:16]}` |"
        for s in sources
    ]


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["| kind | family | way | inputs | outcomes |", "|---|---|---|---:|---|"]
    return lines + [
        f"| {row['kind']} | {_cell(row['family'])} | {row['way']} | {row['inputs']} | "
        f"{', '.join(f'{count} {name}' for name, count in sorted(row['outcomes'].items()))} |"
        for row in rows
    ]


def _cell(text: str) -> str:
    """One line of a table, whatever the text is."""
    return (
        "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
        .replace("\\", "\\\\")
        .replace("|", "\\|")
        .replace("<", "&lt;")
    )
