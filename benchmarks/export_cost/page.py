"""The page: medians, ratios to the yardstick, and the bounds that the project promises."""

import statistics
from typing import Any

from jobs import JOBS, YARDSTICK

# Wall time as a multiple of the yardstick's, memory for RRDBNet.
TIME_BOUNDS = {"alpha-input": 1.25, "11 baked": 1.5}
MEMORY_BOUND_BYTES = 1.8e9
MEMORY_BOUND_JOB = ("RRDBNet-23", "alpha-input")


def summarise(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Medians per job, and the ratios to the yardstick of the same round with their spread."""
    rows = []
    for job in JOBS:
        seconds = [r[job]["seconds"] for r in result["rounds"]]
        ratios = [r[job]["seconds"] / r[YARDSTICK]["seconds"] for r in result["rounds"]]
        rows.append(
            {
                "network": result["network"],
                "job": job,
                "seconds": statistics.median(seconds),
                "ratio": statistics.median(ratios),
                "ratio_min": min(ratios),
                "ratio_max": max(ratios),
                "peak_bytes": max(r[job]["peak_bytes"] for r in result["rounds"]),
            }
        )
    return rows


def report(rows: list[dict[str, Any]], machine: dict[str, Any]) -> str:
    """The table as Markdown, bounds included."""
    lines = [
        "# What an export costs",
        "",
        f"{machine['processor']}, {machine['threads']} threads, "
        + ", ".join(f"{k} {v}" for k, v in machine["versions"].items()),
        "",
        "Each job in a fresh process; median of the rounds. The ratio is to `torch.onnx.export` of one endpoint in the",
        "same round (dynamic batch, height and width, optimizer on, file written).",
        "",
        "| network | job | seconds | ratio (min..max) | bound | peak memory |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        bound = TIME_BOUNDS.get(row["job"])
        lines.append(
            f"| {row['network']} | {row['job']} | {row['seconds']:.1f} | {row['ratio']:.2f} "
            f"({row['ratio_min']:.2f}..{row['ratio_max']:.2f}) | {'' if bound is None else f'{bound:.2f}'} "
            f"| {row['peak_bytes'] / 1e9:.2f} GB |"
        )
    lines += ["", f"Bound for the peak memory of {' '.join(MEMORY_BOUND_JOB)}: {MEMORY_BOUND_BYTES / 1e9:.1f} GB.", ""]
    return "\n".join(lines)


def beyond_bounds(rows: list[dict[str, Any]]) -> list[str]:
    """What did not hold."""
    failures = [
        f"{row['network']} {row['job']}: {row['ratio']:.2f} x, bound {TIME_BOUNDS[row['job']]}"
        for row in rows
        if row["job"] in TIME_BOUNDS and row["ratio"] > TIME_BOUNDS[row["job"]]
    ]
    return failures + [
        f"{row['network']} {row['job']}: {row['peak_bytes'] / 1e9:.2f} GB"
        for row in rows
        if (row["network"], row["job"]) == MEMORY_BOUND_JOB and row["peak_bytes"] > MEMORY_BOUND_BYTES
    ]
