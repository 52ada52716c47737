"""A process that enhances one image, and tells about it as JSON: `one_image.py '{"file": ..., "height": ...}'`."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import dni_runtime
from dni_runtime.images import enhance as module

asked = json.loads(sys.argv[1])
tiles = []
plan = module.plan_tiles


def planned(*arguments: Any, **options: Any) -> Any:
    """The cut that `enhance` uses is the last one that it plans."""
    tiles.append(plan(*arguments, **options))
    return tiles[-1]


module.plan_tiles = planned
image = np.random.default_rng(0).integers(0, 256, (asked["height"], asked["width"], 3), np.uint8)
with dni_runtime.load(asked["file"], "cpu", threads=2) as model:
    small = image[:64, :64]
    model.enhance(small, 0.3)  # the weights are blended
    start = time.perf_counter()
    made = model.enhance(image, 0.3, tile=asked["tile"])
    seconds = time.perf_counter() - start
    (peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    rows, columns = tiles[-1]
    x = np.random.default_rng(0).uniform(0, 1, (1, 3, rows.tile, columns.tile)).astype(np.float32)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        model(x, 0.3)
        times.append(time.perf_counter() - start)
count = len(rows.starts), len(columns.starts)
assert made.any()
print(
    json.dumps(
        {
            "seconds": seconds,
            "own_seconds": min(times) * count[0] * count[1],
            "tile": [rows.tile, columns.tile],
            "count": count,
            "overlap": [rows.overlap, columns.overlap],
            "computed": count[0] * count[1] * rows.tile * columns.tile / (asked["height"] * asked["width"]),
            "memory_mib": int(peak) / 1024,
        }
    )
)
