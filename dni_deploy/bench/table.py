"""The tables of a benchmark, for a terminal."""

from __future__ import annotations

from collections.abc import Callable

from dni_deploy import terminal

from .approaches.lineup import BAKED
from .measuring.footprint import Footprint
from .measuring.hardware import Hardware
from .measuring.spread import Spread
from .report import Case, ModelFacts, Report, Row

LEGEND = (
    "Medians in milliseconds; x is the median ratio to the baked file's call in the same round.",
    "held: alpha stays, p95 is its 95th percentile; new: another alpha at every call;",
    "first: the first call after a change, from a settled state;",
    "full speed: from the change until a call ran within 10 % of held;",
    "at random: calls per second, each with one of six alphas.",
)


def print_report(report: Report) -> None:
    """Print a table of times for every case, and one of time to load, memory and disk for every model."""
    terminal.say(machine(report.hardware))
    for case in report.cases:
        terminal.say("")
        times = [[cell(row) for cell in TIMES.values()] for row in case.rows]
        terminal.say_table(case_title(case), [*map(str.strip, TIMES)], times, numbers=range(1, len(TIMES)), bold=BAKED)
        terminal.say(*remarks(case))
    terminal.say(*LEGEND)
    for facts in report.models:
        terminal.say("")
        rows = [[cell(footprint) for cell in FOOTPRINTS.values()] for footprint in facts.footprints]
        terminal.say_table(model_title(facts), [*FOOTPRINTS], rows, numbers=range(1, len(FOOTPRINTS)), bold=BAKED)
    terminal.say(*report.notes)


def machine(hardware: Hardware) -> str:
    """One line on the hardware and the versions."""
    memory = "" if hardware.memory_bytes is None else f", {hardware.memory_bytes / 2**30:.0f} GiB"
    gpu = f", {hardware.gpu}" if hardware.gpu else ""
    versions = ", ".join(f"{name} {version}" for name, version in hardware.versions.items())
    return f"{hardware.processor}, {hardware.cores} cores{memory}{gpu}, {hardware.system}; {versions}"


TIMES: dict[str, Callable[[Row], str]] = {
    "approach": lambda row: row.approach if row.exact else f"{row.approach} *",
    "held": lambda row: _ms(row.held_ms),
    "p95": lambda row: "" if row.held_ms is None else f"{row.held_ms.p95:.1f}",
    "x": lambda row: _ratio(row.held_ratio),
    "new": lambda row: _ms(row.moving_ms),
    "x ": lambda row: _ratio(row.moving_ratio),
    "first": lambda row: _ms(row.first_ms),
    "x  ": lambda row: _ratio(row.first_ratio),
    "full speed": lambda row: _ms(row.full_speed_ms),
    "at random": lambda row: "" if row.drawn_per_s is None else f"{row.drawn_per_s:.1f}/s",
}
"""Column title -> the cell of a row."""

FOOTPRINTS: dict[str, Callable[[Footprint], str]] = {
    "approach": lambda footprint: footprint.approach,
    "load": lambda footprint: f"{footprint.load_s:.2f} s",
    "again": lambda footprint: f"{footprint.load_again_s:.2f} s",
    "first call": lambda footprint: f"{footprint.first_call_s:.2f} s",
    "memory": lambda footprint: _megabytes(footprint.peak_bytes),
    "loading": lambda footprint: _megabytes(footprint.peak_load_bytes),
    "disk": lambda footprint: _megabytes(footprint.disk_bytes),
    "cache": lambda footprint: _megabytes(footprint.cache_bytes) if footprint.cache_bytes else "",
}


def case_title(case: Case) -> str:
    threads = "as many threads as cores" if case.threads is None else f"{case.threads} thread(s)"
    return f"{case.model}, {case.height} x {case.width}, {threads}, {case.provider}, {case.dtype}"


def remarks(case: Case) -> list[str]:
    """What a table of times leaves out: approaches that compute something else, and notes on how one runs."""
    others = [
        f"* {row.approach} is another result, off by {row.difference:.2g} of the largest output"
        for row in case.rows
        if not row.exact
    ]
    return others + [f"{row.approach}: {row.note}" for row in case.rows if row.note]


def model_title(facts: ModelFacts) -> str:
    height, width = facts.footprint_size
    return (
        f"{facts.model}: weights {facts.weights_bytes / 1e6:.1f} MB, {facts.one_weights_bytes / 1e6:.1f} MB for one "
        f"alpha; memory at {height} x {width}"
    )


def _ms(value: Spread | None) -> str:
    return "" if value is None else f"{value.median:.1f}"


def _ratio(value: Spread | None) -> str:
    return "" if value is None else f"{value.median:.2f}"


def _megabytes(size: int | None) -> str:
    return "unmeasured" if size is None else f"{size / 1e6:.1f} MB"
