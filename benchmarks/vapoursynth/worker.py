"""In VapourSynth's environment: one job, asked for and answered as JSON.

A job: {"files": {"model": path, ...}, "kinds": [[way, alpha, streams, requests], ...], "size": [height, width],
"count": frames that are timed at once, "rounds": n, "seconds": at most, "disturbed": at most}; without kinds vs-mlrt's
files are compared.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from agreement import differences, refusal
from clips import FloatArray
from timing import measure
from ways import Ways

from dni_deploy.bench.measuring.hardware import hardware
from dni_deploy.bench.table import machine
from dni_deploy.demo import PHOTOGRAPH_NOISY
from dni_deploy.image_files.read_write import read_image

KEPT = 16
PACKAGES = ("dni-deploy", "numpy", "onnxruntime-gpu", "onnxruntime", "VapourSynth", "vapoursynth-mlrt-ort")


def frames(height: int, width: int) -> list[FloatArray]:
    """A shot that travels over the bundled photograph."""
    photograph = read_image(PHOTOGRAPH_NOISY).astype(np.float32) / np.float32(255)
    down, right = (side - wanted for side, wanted in zip(photograph.shape, (height, width), strict=False))
    places = [(n * down // KEPT, n * right // KEPT) for n in range(KEPT)]
    return [np.ascontiguousarray(photograph[top : top + height, left : left + width]) for top, left in places]


def answer(job: dict[str, Any]) -> dict[str, Any]:
    import vapoursynth as vs

    files, film = {kind: Path(path) for kind, path in job["files"].items()}, frames(*job["size"])
    mlrt = vs.core.ort.Version()
    found = {
        "machine": machine(hardware(PACKAGES)),
        "mlrt": f"{mlrt['version']} with ONNX Runtime {mlrt['onnxruntime_version']}",
        "threads": vs.core.num_threads,
    }
    if not job["kinds"]:
        return found | {"files": differences(files, film[0]), "refusal": refusal(files["model"], film[0])}
    ways = Ways(files, film, [(way, alpha, *rest) for way, alpha, *rest in job["kinds"]])
    apart = ways.check()
    effort = {each: job[each] for each in ("count", "rounds", "seconds", "disturbed")}
    rounds, left_out = measure(ways.take, **effort)
    return found | {"apart": apart, "rounds": rounds, "left_out": left_out}


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(answer(json.loads(sys.argv[1]))))
