"""The page of results."""

from collections.abc import Mapping
from typing import Any

HEAD = ("map", "`--levels`", "levels used", "mean error", "99 % below", "largest", "tiles run", "time")


def markdown(data: Mapping[str, Any]) -> str:
    rows = [
        [
            row["map"],
            str(row["most"]),
            "/".join(map(str, row["levels"])),
            f"{row['mean']:.3f}",
            f"{row['p99']:.2f}",
            f"{row['max']:.1f}",
            f"{row['tiles']:.2f}",
            f"{row['time']:.2f}",
        ]
        for row in data["rows"]
    ]
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in (HEAD, ["---", *["---:"] * 7], *rows))
    machine = ", ".join(f"{name} {number}" for name, number in data["versions"].items())
    side, tile = data["side"], data["tile"]
    return f"""# A strength for each region

![the sky smooth, the face kept](regions.jpg)

`camera` of scikit-image with noise of sigma {data["sigma"]}, through the bundled pair: alpha 1 is its weak end, 0 its
strong one. One alpha keeps the grain of the sky or smooths the face; a mask says where.

## What a few levels lose, and what they cost

The network runs at a few alphas, and each pixel is mixed of the two around its own. The error of that, in steps of
255, beside an alpha for each pixel ({data["many"]} alphas, of which the nearest two are taken), of the middle of four
photographs that the pair never saw ({", ".join(data["photographs"])}; {side}x{side} pixels) with noise of sigma
{data["sigma"]}. Cost as a multiple of one alpha for all of it, in tiles of {tile} pixels: tiles that the network ran,
and the processor's time, on {data["threads"]} thread.

{table}

A network that is not linear in alpha bends between two levels: half the distance is a third of the error here. Tiles
whose pixels are all at one level run once. A level more is taken only as long as the map gains by it, so a hard border
costs two levels, whatever `--levels` allows. All parts of a map of one value, if that is a level, are the result of
that alpha for the whole image to the last bit; that is checked before anything is measured.

{machine}; {data["processor"]}. Measured by `benchmarks/regions/run.py`; all values are in `regions.json`.
"""
