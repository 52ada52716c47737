"""The benchmark as a page: bounds first, then the picture, then every table."""

from collections.abc import Sequence

from batching import MAX_BATCH, Batching
from bounds import Bound
from networks import DESCRIBED
from overhead import Overhead
from soak import Soak

from dni_deploy.bench.measuring.hardware import Hardware
from dni_deploy.bench.table import machine

_METHOD = f"""
A real tritonserver, started by `dni serve` with its defaults, and its clients in one process on the same machine:
the processor time that the clients take is missing to the server, and is given in the table. Nothing is timed before
the answers were found to be those of the runtime in this process.

Batching: two servers of one model, up to {MAX_BATCH} images in a run and 1, are asked in turn, in an order drawn anew
for every round, by clients that send the next request as soon as the last one is answered (uint8 images over gRPC).
Ratios are taken within a round; their median and quartiles are given.

The way through the server: float32 tensors, alpha held, a bare ONNX Runtime session of the baked file in the clients'
process as the yardstick, all in turn in a random order; each timed call comes after a pause of 30 ms, in which the
threads of whoever ran before stop spinning, and an untimed call of the same kind if it takes less than 0.2 s.
"""


def page(
    hardware: Hardware,
    server: str,
    bounds: Sequence[Bound],
    batching: Sequence[Batching],
    overhead: Sequence[Overhead],
    soak: Soak | None,
) -> str:
    """Markdown."""
    lines = ["# Serving", "", f"{machine(hardware)}; tritonserver {server}", _METHOD]
    lines += [f"- {name}: {network.what}" for name, network in DESCRIBED.items()]
    lines += ["", "## What is promised", "", bounds_table(bounds), ""]
    lines += ["![Batching, the way through the server, and memory](serving.png)", ""]
    lines += ["## Batching", "", _batching_table(batching), ""]
    lines += ["## The way through the server", "", "Milliseconds.", "", _overhead_table(overhead), ""]
    if soak is not None:
        lines += ["## Soak", "", _soak_text(soak), ""]
    return "\n".join(lines)


def bounds_table(bounds: Sequence[Bound]) -> str:
    """Failures first: they are what a reader has to know."""
    rows = ["| | where | measured | bound | |", "|---|---|---:|---:|---|"]
    for bound in sorted(bounds, key=lambda bound: bound.holds):
        sign = "at least" if bound.at_least else "at most"
        verdict = "holds" if bound.holds else "**does not hold**"
        value, limit = (f"{number:.3g} {bound.unit}".strip() for number in (bound.value, bound.limit))
        rows.append(f"| {bound.what} | {bound.where} | {value} | {sign} {limit} | {verdict} |")
    return "\n".join(rows)


def _batching_table(rows: Sequence[Batching]) -> str:
    lines = [
        "| network | size | clients | alphas | with batching | without | ratio (quartiles) | images in a run "
        "| clients' processor time |",
        "|---|---:|---:|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.network} | {row.size} | {row.clients} | {row.alphas} | {row.batched_per_s:.1f}/s | "
        f"{row.single_per_s:.1f}/s | {row.ratio.median:.2f} ({row.ratio.low:.2f}..{row.ratio.high:.2f}) | "
        f"{row.batch:.1f} | {row.client_cpu_ms:.2f} ms |"
        for row in rows
    ]
    return "\n".join(lines)


def _overhead_table(rows: Sequence[Overhead]) -> str:
    lines = [
        "| network | size | way | bare session | request, median | 99 % | more than bare, median | 99 % | rounds |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.network} | {row.size} | {row.way} | {row.bare_p50_ms:.2f} | {row.p50_ms:.2f} | {row.p99_ms:.2f} | "
        f"{row.more_p50_ms:.2f} | {row.more_p99_ms:.2f} | {row.count} |"
        for row in rows
    ]
    return "\n".join(lines)


def _soak_text(soak: Soak) -> str:
    minutes, mb = soak.samples[-1]
    return (
        f"{soak.clients} clients without a pause for {minutes:.0f} minutes, images of 16 to 96 pixels along each side "
        f"at alphas that never come twice: {soak.answers} answers, {soak.checked} compared with the reference, "
        f"{soak.wrong} wrong. Resident memory of all processes of the server, {mb:.0f} MB at the end, changes by "
        f"{soak.slope_mb_h:+.1f} MB an hour after the first {soak.settled_min:.1f} minutes, with a 95 % interval of "
        f"± {soak.uncertainty_mb_h:.1f}; growth below that is not seen in this time."
    )
