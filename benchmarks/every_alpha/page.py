"""The page: what misses the bound first, then every network."""

from collections.abc import Mapping, Sequence
from typing import Any

from measuring import AGAIN, BAKED, EQUAL, HELD, LONG_S, MOVING, ROUNDS, SHORT_S

from dni_deploy.bench.measuring.hardware import Hardware
from dni_deploy.bench.table import machine

BOUND, SHORTEST_MS = 1.08, 10.0
Line = Mapping[str, Any]

METHOD = f"""
`python benchmarks/every_alpha/run.py` exports the first row of every architecture of benchmarks/coverage and the
networks of the paper's field. Ratios are to a file baked for one alpha, in the same round: medians, quartiles in
brackets. Calls come in random order, each after another of its kind, up to {ROUNDS} rounds, once all results were found
equal to the graph's in the file within {EQUAL:g}. On one thread by processor time, on two by the clock.

- **image**: about the smallest with which a baked call takes {SHORT_S * 1e3:.0f} ms of processor time for each thread;
  where a new alpha misses the bound, twice its side, until it does not or a call takes {LONG_S * 1e3:.0f} ms.
- **weights**: numbers that alpha moves, in millions, padded as ONNX Runtime wants them.
- **new alpha / held**: with another alpha than the call before, and with the same one.
- **again**: the baked file in a second session: what noise makes of a ratio of 1.
- **blend / least**: milliseconds in which weights are blended, and those in which that many bytes (two endpoints read,
  one written) are copied by one thread.

The bound: a new alpha takes at most {BOUND} times a baked call, of {SHORTEST_MS:.0f} ms and more.
"""


def missed(lines: Sequence[Line]) -> list[Line]:
    """The smallest image of each network with which a new alpha costs more than the bound."""
    return [line for line in lines if line[BAKED] >= SHORTEST_MS and line[MOVING]["median"] > BOUND]


def page(lines: Sequence[Line], failed: Mapping[str, str], hardware: Hardware, revisions: Sequence[str]) -> str:
    """Markdown."""
    names = {line["row"] for line in lines}
    text = ["# A new alpha, for every architecture", "", machine(hardware), f"Commits {', '.join(revisions)}.", METHOD]
    laid_out = {line["row"] for line in lines if line["laid_out"]}
    counts = sorted({line["threads"] for line in lines})
    measured = (f"on {n}: {len({line['row'] for line in lines if line['threads'] == n})}" for n in counts)
    text += [f"{len(names)} networks, {len(laid_out)} laid out. Measured by threads, {', '.join(measured)}.", ""]
    text += ["## What misses the bound", ""]
    text += [_told(line) for line in missed(lines)] or ["Nothing."]
    text += [f"- {name} has no file: {why}" for name, why in sorted(failed.items())]
    text += ["", "## Every network", ""]
    columns = ["network", "weights", "threads", "image", "baked, ms", "new alpha", "held", "again", "blend / least, ms"]
    text += ["| " + " | ".join(columns) + " |", "|---|---:|---:|---:|---:|---|---|---|---:|"]
    for line in sorted(lines, key=lambda line: (line["row"].lower(), line["threads"], line[BAKED])):
        blend = "-" if line["blend"] is None else f"{line['blend']:.2f} / {line['least']:.2f}"
        cells = [
            line["row"] if line["laid_out"] else f"{line['row']} (not laid out)",
            f"{line['weights'] / 1e6:.2f}",
            str(line["threads"]),
            _size(line),
            f"{line[BAKED]:.1f}",
            *(_ratio(line[way]) for way in (MOVING, HELD, AGAIN)),
            blend,
        ]
        text.append("| " + " | ".join(cells) + " |")
    return "\n".join(text) + "\n"


def _told(line: Line) -> str:
    how = "" if line["laid_out"] else f"; {line['note']}"
    blend = "" if line["blend"] is None else f"; blending takes {line['blend']:.1f} ms, copying {line['least']:.1f}"
    return (
        f"- {line['row']}, {line['weights'] / 1e6:.1f} million weights, {_size(line)}, threads: {line['threads']}: "
        f"{line[MOVING]['median']:.2f} of {line[BAKED]:.1f} ms, held {line[HELD]['median']:.2f}, "
        f"the baked file again {line[AGAIN]['median']:.2f}{blend}{how}"
    )


def _size(line: Line) -> str:
    return f"{line['shape'][2]} x {line['shape'][3]}"


def _ratio(spread: Mapping[str, float]) -> str:
    median = f"{spread['median']:.2f}"
    return f"{median} ({spread['low']:.2f}..{spread['high']:.2f})"
