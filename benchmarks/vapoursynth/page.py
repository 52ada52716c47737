"""The page of results: bounds first, then every table."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bounds import MOST, Bound, beside, keys
from names import ALPHA, BAKED, HELD, LOOP, MOVING, OURS, PLANE, named
from timing import DISTURBED

_METHOD = f"""
A film of 320 x 180 pixels in memory, RGBS, whose frames all differ, through `dni_runtime.vapoursynth.enhance` and
through what people have: frames a second, taken in order by one process of VapourSynth, in float32, on the CPU. All
ways run in one process, in an order drawn anew for every round, each after an untimed frame and a pause in which the
threads of whoever ran before stop spinning; settings are everyone's own. Before it the pictures were compared: our
filter's are those of `Model.enhance` bit for bit, vs-mlrt's, clipped to 0..1, within 1e-4. Times of which other
programs took more than {DISTURBED:.0%} of the cores are left out. Alpha "held" is {ALPHA}; "moving" is another one at
every frame, all over 0..1, and none comes back. Ratios are taken within a round; the median is given. The loop and our
filter share one loaded model: two of the same file were up to 5 % apart, by where in memory they lay. So may vs-mlrt's
be.

- {LOOP}: `model.enhance(frame, alpha)` in Python, without VapourSynth.
- {OURS}: alpha a number, or a function of the frame's number.
- {BAKED}: `core.ort.Model` with a file of one strength.
- {PLANE}: with alpha in a second clip (`--single-input plane`); weights are computed anew for every
  frame.

Requests: how many frames the program that takes them asks for at once; streams: how many the filter has in the network
at once (`num_streams`).
"""


def page(found: Mapping[str, Any], bounds: Sequence[Bound]) -> str:
    raced = {name: job for name, job in found.items() if job.get("rounds")}
    last = [*found.values()][-1]
    lines = ["# VapourSynth", "", f"{last['machine']}; vs-mlrt {last['mlrt']}", _METHOD]
    lines += [
        "## What is promised",
        "",
        "The time of a film whose alpha moves, of that of one whose alpha is held:",
        "",
    ]
    lines += [bounds_table(bounds), "", "![Frames a second](vapoursynth.png)", "", "## Frames a second", ""]
    lines += _networks(raced.values())
    lines += _streams(raced.values())
    lines += _agreement(found)
    rows = [(name, str(len(job["rounds"])), str(job["left_out"])) for name, job in raced.items()]
    lines += ["## Rounds", "", _table(("", "rounds", "times left out"), rows), ""]
    lines += ["Measured by `benchmarks/vapoursynth/run.py`; all values are in `vapoursynth.json`."]
    return "\n".join(lines) + "\n"


def bounds_table(bounds: Sequence[Bound]) -> str:
    """Failures first: they are what a reader has to know."""
    rows = [
        (
            bound.network,
            str(bound.streams),
            str(bound.requests),
            f"{bound.ratio.median:.3f}",
            f"{bound.ratio.low:.3f} to {bound.ratio.high:.3f}",
            f"{MOST:.2f}",
            "holds" if bound.holds else "**does not hold**",
        )
        for bound in sorted(bounds, key=lambda bound: bound.holds)
    ]
    return _table(("network", "streams", "requests", "measured", "quartiles", "at most", ""), rows)


def frames_a_second(job: Mapping[str, Any], key: str) -> float:
    return float(job["count"] / median(taken[key] for taken in job["rounds"] if key in taken))


def _networks(jobs: Any) -> list[str]:
    """A line for each way, one request for ours and the loop, four for vs-mlrt."""
    ways = {
        f"{LOOP}, held": named(LOOP, HELD), f"{LOOP}, moving": named(LOOP, MOVING),
        f"{OURS}, held, 1 request": named(OURS, HELD), f"{OURS}, moving, 1 request": named(OURS, MOVING),
        f"{OURS}, held, 4 requests": named(OURS, HELD, 1, 4), f"{OURS}, moving, 4 requests": named(OURS, MOVING, 1, 4),
        f"{BAKED}, 4 requests": named(BAKED, HELD, 1, 4), f"{PLANE}, moving, 4 requests": named(PLANE, MOVING, 1, 4),
    }  # fmt: skip
    chosen = [job for job in jobs if named(LOOP, HELD) in keys(job)]
    rows = []
    for title, key in ways.items():
        cells = []
        for job in chosen:
            ratio = beside(job, key, named(LOOP, HELD))
            cells.append("" if ratio is None else f"{frames_a_second(job, key):.1f} ({1 / ratio.median:.2f})")
        rows.append((title, *cells))
    told = ["In brackets: of the speed of the loop whose alpha is held, in the same rounds.", ""]
    return [*told, _table(("", *(job["network"] for job in chosen)), rows), ""]


def _streams(jobs: Any) -> list[str]:
    lines = ["## Streams and requests", ""]
    for job in jobs:
        if named(LOOP, HELD) in keys(job):
            continue
        by_way: dict[str, dict[str, float]] = {}
        for key in keys(job):
            way, streams, requests = key.rsplit(", ", 2)
            plural = "s" if streams != "1" else ""
            by_way.setdefault(f"{way}, {streams} stream{plural}", {})[requests] = frames_a_second(job, key)
        requests = sorted({each for rates in by_way.values() for each in rates}, key=int)
        rows = [
            (way, *(f"{found[each]:.1f}" if each in found else "" for each in requests))
            for way, found in by_way.items()
        ]
        head = (job["network"], *(f"{each} request{'s' if each != '1' else ''}" for each in requests))
        lines += [_table(head, rows), ""]
    return lines


def _agreement(found: Mapping[str, Any]) -> list[str]:
    job = next((job for job in found.values() if "refusal" in job), None)
    if job is None:
        return []
    rows = [(each["file"], each["how"], f"{each['alpha']:g}", f"{each['apart']:.1e}") for each in job["files"]]
    lines = ["## Our files in vs-mlrt", ""]
    lines += [
        "The bundled pair's files in vs-mlrt beside `model(x, alpha)`: the largest difference of a sample, of 1. In"
    ]
    lines += ['"small" the differences of the weights are stored in int8.', ""]
    lines += [_table(("file", "frames", "alpha", "largest difference"), rows), ""]
    lines += [f"A file with alpha as an input of its own it refuses: `{job['refusal']}`.", ""]
    return lines


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
