"""The benchmark as a page: what came of each file, what refuses them, and what a run costs beyond the network."""

from collections.abc import Mapping, Sequence
from typing import Any

from costs import LARGE_PX, LIMIT_MB, LIMIT_MS, SMALL_PX

from dni_deploy.bench.measuring.hardware import hardware
from dni_deploy.bench.table import machine

_PACKAGES = ("dni-deploy", "numpy", "pillow", "tifffile", "imagecodecs", "pillow-heif", "onnxruntime-gpu")
# A busy machine takes long for a large PNG.
LIMIT_S = 60.0
_METHOD = """
A network that returns its input, so that all pixels have to come back. Each of the {files:,} files below `Tests/images`
of Pillow's source (13.0.0, fetched by name, nothing of it is shipped) is given to `dni run` twice, in a process of its
own: into a folder, where the result keeps its name and kind (what is read and not written becomes PNG), and to PNG.

**Right** is a result that Pillow reads as what it says it is, of the same size (upright), with the bits, the opacity
and all the pictures of the file (what a phone adds is told instead), equal in every pixel that is seen where the format
loses nothing, with the same profile, EXIF, XMP and dpi where it has a place for them, or a note on each that it lacks.
**Refused** is one line, exit code 1, and no result. All else is a fault: an exception, a crash, {limit_s:g} s (twice),
1.5 GB. Of {unsure} results the reference is unsure, as Pillow cannot read what came in, or not as it is.
"""
_COSTS = """
The small files are PNG of {px}x{px} pixels; beside `dni run`, with its start taken off, stands a loop of Pillow's
reading, ONNX Runtime's `run` and Pillow's writing, whose results are the same. The large photograph has
{width}x{height} pixels (300 MB as an array); the peak is that of the process's resident memory.
"""


def page(data: Mapping[str, Any]) -> str:
    """Markdown of what run.py wrote down."""
    parts = ["# Photographs as people have them", "", machine(hardware(_PACKAGES)), ""]
    if "corpus" in data:
        parts += [*_corpus(data["corpus"]), ""]
    if "evening" in data:
        parts += [*_evening(data["evening"]), ""]
    if "small" in data or "large" in data:
        width, height = LARGE_PX
        parts += ["## What it costs", _COSTS.format(px=SMALL_PX, width=width, height=height)]
    if "small" in data:
        parts += [*_small(data["small"]), ""]
    if "large" in data:
        parts += [*_large(data["large"]), ""]
    parts += ["Measured by `benchmarks/photographs/run.py`; all numbers are in `photographs.json`."]
    return "\n".join(parts) + "\n"


def _corpus(found: Mapping[str, Any]) -> list[str]:
    lines = ["| suffix | files | way | right | refused | faults |", "|---|---:|---|---:|---:|---:|"]
    ways = list(dict.fromkeys(row["way"] for row in found["counts"]))
    families = sorted({row["family"] for row in found["counts"]})
    by = {(row["family"], row["way"]): row for row in found["counts"]}
    most = sorted(families, key=lambda family: -by[family, ways[0]]["inputs"])
    lines += [_counts("all", way, [by[family, way] for family in families]) for way in ways]
    for family in most:
        lines += [_counts(family, way, [by[family, way]]) for way in ways]
    return [
        *lines[: 2 + len(ways)],
        "",
        f"The longest took {found['longest_s']} s, the highest peak was {found['peak_mb']:,} MB.",
        _METHOD.format(**found, limit_s=LIMIT_S),
        "## Faults",
        "",
        *_faults(found["faults"]),
        "",
        "## By suffix",
        "",
        *lines[:2],
        *lines[2 + len(ways) :],
        "",
        "## What refuses",
        "",
        "| its own kind | to PNG | what is said (N: a number) |",
        "|---:|---:|---|",
        *_refused(found["refused"]),
    ]


def _counts(family: str, way: str, rows: Sequence[Mapping[str, Any]]) -> str:
    inputs = sum(row["inputs"] for row in rows)
    right, refused = (sum(row["outcomes"].get(key, 0) for row in rows) for key in ("right", "refused"))
    bad = inputs - right - refused
    return f"| {family} | {inputs:,} | {way} | {right:,} | {refused:,} | {f'**{bad}**' if bad else 0} |"


def _refused(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    said: dict[str, dict[str, int]] = {}
    for row in rows:
        said.setdefault(row["said"], {})[row["way"]] = row["files"]
    return [f"| {of.get('its own kind', 0)} | {of.get('to PNG', 0)} | {_cell(text)} |" for text, of in said.items()]


def _faults(faults: Sequence[Mapping[str, Any]]) -> list[str]:
    if not faults:
        return ["None."]
    rows = [f"| {f['result']} | {f['way']} | {_cell(f['name'])} | {_cell(f['detail'][:160])} |" for f in faults]
    return ["| fault | way | file | what happened |", "|---|---|---|---|", *rows]


def _evening(found: Mapping[str, Any]) -> list[str]:
    command = "dni run returning.onnx Tests/images -o out --recursive --name '{name}{suffix}' --json"
    lines = [
        "## All of them in one run",
        "",
        f"`{command}`: {found['files']:,} files are tried, {found['made']:,} results are there, {found['failed']:,} "
        f"lines say why there is none, {found['noted']:,} say what is missing. {found['seconds']:,.0f} s, a peak "
        f"of {found['peak_mb']:,} MB. Of all that has no image's name one line says: *{_cell(found['left_out'])}*.",
    ]
    return lines + [f"- **{_cell(fault)}**" for fault in found["faults"]]


def _small(found: Mapping[str, Any]) -> list[str]:
    return [
        "| files | `dni run`: of processors | the loop: of processors | overhead | limit | on the clock | peak |",
        "|---:|---:|---:|---:|---:|---:|---:|",
        f"| {found['files']:,} | {found['dni_processor_ms']:.2f} ms a file | {found['loop_processor_ms']:.2f} | "
        f"**{found['overhead_ms']:.2f}** | {LIMIT_MS:g} | {found['dni_ms']:.2f}, {found['loop_ms']:.2f} | "
        f"{found['peak_mb']:,} MB |",
        "",
        f"The machine had other work (a load of {found['load']:g} on its cores), of which the clock tells.",
    ]


def _large(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        "| 100 million pixels | time | peak | limit |",
        "|---|---:|---:|---:|",
        *(f"| {row['what']} | {row['seconds']:.0f} s | **{row['peak_mb']:,} MB** | {LIMIT_MB:,.0f} |" for row in rows),
    ]


def _cell(text: str) -> str:
    """One line of a table, whatever the text is."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return shown.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
