"""The page of results: bounds first, then every table."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from names import BAKED, FFMPEG, HELD, MOVING, NETWORK, RETURNED

from dni_deploy.bench.measuring.race import Round
from dni_deploy.bench.measuring.spread import paired_ratios

SPEED_LEAST, COLOUR_MOST, MEMORY_MOST = 0.9, 1.0, 1.1


def bounds(data: Mapping[str, Any]) -> list[tuple[str, float, float, bool]]:
    """What is promised, the value, its bound, and whether it holds."""
    rounds: Sequence[Round] = data["rounds"]
    alone = [max(taken[NETWORK], taken[FFMPEG]) / taken[HELD] for taken in rounds]
    colour = max(max(chart["seen"], chart["returned"]) for chart in data["charts"])
    short, long = (data["peaks_mb"][frames] for frames in sorted(data["peaks_mb"], key=int))
    speed = median(alone)
    return [
        ("a film's speed / that of its slower half alone, at least", speed, SPEED_LEAST, speed >= SPEED_LEAST),
        ("largest error of colours, of 255, at most", colour, COLOUR_MOST, colour <= COLOUR_MOST),
        ("memory of a film ten times as long, at most", long / short, MEMORY_MOST, long <= MEMORY_MOST * short),
    ]


def markdown(data: Mapping[str, Any]) -> str:
    short, long = sorted(data["peaks_mb"], key=int)
    peaks = {frames: data["peaks_mb"][frames] for frames in (short, long)}
    height, width = data["size"]
    return f"""# Films

A film through a network, by `dni film`: how fast, at an alpha that moves, in how much memory, and what is lost.

{data["machine"]}; FFmpeg {data["ffmpeg"]}, PyAV {data["pyav"]}

## What is promised

{_bounds(bounds(data))}

## Speed

Photographs that the bundled pair never saw are moved about, with grain of sigma {data["grain"]}: {data["frames"]}
frames of {width} x {height} pixels, H.264. The bundled pair cleans them. Frames a second of the whole call,
from opening the files to the film under its name (Python's start left out); medians of {len(data["rounds"])} rounds in
an order drawn anew each time, once all three ways gave the same pictures.

{_speeds(data)}

"{NETWORK}": on frames that lie ready in memory. "{FFMPEG}": the `ffmpeg` program decodes, converts to RGB and back,
and encodes with the same settings. "{RETURNED}": a film through a network that returns its input, which shows
what all the rest takes. A new alpha costs what it costs [anywhere](alpha_is_free.md).

While the film is made, the cores are busy for {data["busy"]:.0%} of the time. The network, where it is not on a GPU,
shares them with the encoder: what the film is slower than its slower half alone is the work of the other half.

## A strength that follows the scenes

A film of scenes with noise of sigma {", ".join(map(str, data["sigmas"]))}, through the bundled pair, calibrated on two
other photographs: dB to the clean film, at one alpha for all of it and with `--alpha auto`.

{_scenes(data)}

## Memory

The peak of the process at {short} frames of 64 x 48 pixels is {peaks[short]:.0f} MB, at {long} frames
{peaks[long]:.0f} MB.

## Colours

A chart of bars and ramps in 4:4:4: the largest difference from what FFmpeg itself makes of it in RGB, in steps of
255. "seen": of what the network is given; "returned": of the film that `--lossless` makes of it, through a
network that returns its input.

{_charts(data["charts"])}

## Losses with `--lossless`

{data["sampled_frames"]} frames with grain, losslessly stored in each format, through a network that returns its
input: samples that are not those of the source, and by how many of their own steps at most. Networks take RGB, so the
way leads there and back. Beside it what FFmpeg's own way to RGB of 16 bits and back loses.

{_samplings(data["samplings"])}

## What each `--codec` costs

The film with grain through a network that returns its input, each codec as it is by default. The network's pictures
have 8 bits, as the film has; that is all that `ffv1` loses without `--lossless`.

{_codecs(data["codecs"])}

Measured by `benchmarks/films/run.py`; all values are in `films.json`.
"""


def _bounds(found: Sequence[tuple[str, float, float, bool]]) -> str:
    """Failures first: they are what a reader has to know."""
    rows = [
        (what, f"{value:.3f}", f"{bound:.2f}", "holds" if holds else "**does not hold**")
        for what, value, bound, holds in sorted(found, key=lambda each: each[3])
    ]
    return _table(("", "measured", "bound", ""), rows)


def _speeds(data: Mapping[str, Any]) -> str:
    rounds = data["rounds"]
    rows = [
        (
            name,
            f"{data['frames'] / median(taken[name] for taken in rounds):.2f}",
            f"{1 / median(paired_ratios(rounds, name, BAKED)):.3f}",
        )
        for name in (NETWORK, FFMPEG, HELD, MOVING, BAKED, RETURNED)
    ]
    return _table(("", "frames a second", f"of {BAKED}"), rows)


def _scenes(data: Mapping[str, Any]) -> str:
    rows = [(s["alpha"], *(f"{db:.2f}" for db in (*s["scenes_db"], s["film_db"]))) for s in data["scenes"]]
    return _table(("alpha", *(f"sigma {sigma}" for sigma in data["sigmas"]), "the film"), rows)


def _charts(charts: Sequence[Mapping[str, Any]]) -> str:
    rows = [(c["matrix"], c["range"], str(c["bits"]), f"{c['seen']}", f"{c['returned']}") for c in charts]
    return _table(("matrix", "range", "bits", "seen", "returned"), rows)


def _samplings(samplings: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            f"`{s['pixels']}`",
            f"{s['share']:.4%}",
            str(s["largest"]),
            f"{s['ffmpeg_share']:.4%}",
            str(s["ffmpeg_largest"]),
        )
        for s in samplings
    ]
    return _table(("format", "differ", "largest", "FFmpeg: differ", "largest"), rows)


def _codecs(codecs: Sequence[Mapping[str, Any]]) -> str:
    rows = [(c["codec"], f"{c['fps']:.1f}", f"{c['megabytes']:.1f}", f"{c['psnr_db']:.1f}") for c in codecs]
    return _table(("codec", "frames a second", "MB", "dB beside the source"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
