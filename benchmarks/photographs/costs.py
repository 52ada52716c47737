"""What `dni run` costs beyond the network: a folder of small files, and photographs of a hundred million pixels."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image
from returning import returning

SMALL_PX = 32
LARGE_PX = (12_500, 8_000)
LIMIT_MS, LIMIT_MB = 5.0, 1500.0
_SUFFIXES = (".jpg", ".png", ".tif")
_FOLDER = 3

_MAKE = """
import sys
import numpy as np
from PIL import Image
width, height, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
small = np.random.default_rng(0).integers(0, 256, (height // 16, width // 16, 3), np.uint8)
Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(path, quality=90)
"""
_COMPARE = """
import sys
import numpy as np
from PIL import Image
Image.MAX_IMAGE_PIXELS = None
first, second = (np.array(Image.open(path)) for path in sys.argv[1:])
difference = np.abs(first.astype(np.int16) - second)
print(difference.max(), difference.mean())
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """A command: seconds on the clock and of processors, the peak of its resident memory, and what it printed."""

    seconds: float
    processor_s: float
    peak_mb: float
    out: str
    err: str


def small_files(folder: Path, count: int) -> dict[str, Any]:
    """`count` files through `dni run`, and through a loop of Pillow and ONNX Runtime; results are equal, or it ends."""
    model, inputs = _write_model(folder), folder / "small"
    inputs.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        Image.fromarray(rng.integers(0, 256, (SMALL_PX, SMALL_PX, 3), np.uint8)).save(inputs / f"{number}.png")
    (one := folder / "one").mkdir()
    os.link(inputs / "0.png", one / "0.png")
    start = dni(model, one, folder / "one out")
    whole = dni(model, inputs, folder / "dni")
    loop_s, loop_processor_s = _loop(model, inputs, folder / "loop", count)
    for number in range(count):
        made, plain = (np.array(Image.open(folder / way / f"{number}.png")) for way in ("dni", "loop"))
        if not np.array_equal(made, plain):
            raise SystemExit(f"result {number} is not what the loop makes of it")
    dni_s, dni_processor_s = whole.seconds - start.seconds, whole.processor_s - start.processor_s
    return {
        "files": count,
        "dni_ms": round(1e3 * dni_s / count, 2),
        "loop_ms": round(1e3 * loop_s / count, 2),
        "dni_processor_ms": round(1e3 * dni_processor_s / count, 2),
        "loop_processor_ms": round(1e3 * loop_processor_s / count, 2),
        "overhead_ms": round(1e3 * (dni_processor_s - loop_processor_s) / count, 2),
        "load": round(os.getloadavg()[0], 1),
        "peak_mb": round(whole.peak_mb),
    }


def large_photographs(folder: Path) -> list[dict[str, Any]]:
    """One of a hundred million pixels to each format, and a folder of three; results are compared with the inputs."""
    model, inputs = _write_model(folder), folder / "large"
    inputs.mkdir()
    photo = inputs / "0.jpg"
    subprocess.run([sys.executable, "-c", _MAKE, *map(str, LARGE_PX), photo], check=True)
    for number in range(1, _FOLDER):
        os.link(photo, inputs / f"{number}.jpg")
    rows = []
    for suffix in _SUFFIXES:
        made = folder / f"made{suffix}"
        rows.append(_row(f"one JPEG to {made.suffix[1:].upper()}", dni(model, photo, made)))
        _check(photo, made)
        made.unlink()
    rows.append(_row(f"a folder of {_FOLDER} JPEG", dni(model, inputs, folder / "several")))
    _check(photo, folder / "several" / "2.jpg")
    return rows


def _row(what: str, ran: Ran) -> dict[str, Any]:
    return {"what": what, "seconds": round(ran.seconds, 1), "peak_mb": round(ran.peak_mb)}


def _check(photo: Path, made: Path) -> None:
    """In a process of its own, since what this one has had in memory counts for all that it starts."""
    said = subprocess.run([sys.executable, "-c", _COMPARE, photo, made], check=True, capture_output=True, text=True)
    worst, mean = map(float, said.stdout.split())
    if mean > 1 or (worst and made.suffix != ".jpg"):
        raise SystemExit(f"{made.name} is off by {worst:.0f} of 255, {mean:.2f} on average")


def _write_model(folder: Path) -> Path:
    model = folder / "returning.onnx"
    model.write_bytes(returning().SerializeToString())
    return model


def dni(model: Path, inputs: Path, output: Path, *options: str, codes: Sequence[int] = (0,)) -> Ran:
    """`dni run` in a process of its own. Ends this one where its exit code is none of `codes`."""
    command = [sys.executable, "-m", "dni_deploy.cli", "run", model, inputs, "-o", output, "--provider", "cpu"]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        process = subprocess.Popen([*command, *options], stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        ran = Ran(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read(), err.read())
    if process.returncode not in codes:
        raise SystemExit(f"dni run on {inputs} ended with exit code {process.returncode}: {ran.err[-500:]}")
    return ran


def _loop(model: Path, inputs: Path, output: Path, count: int) -> tuple[float, float]:
    """Seconds that reading, the network and writing take, and nothing else: on the clock, and of processors."""
    output.mkdir()
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    started, processor = time.perf_counter(), time.process_time()
    for number in range(count):
        with Image.open(inputs / f"{number}.png") as image:
            pixels: NDArray[np.uint8] = np.array(image)
        batch = (pixels.astype(np.float32) / 255).transpose(2, 0, 1)[None]
        result = session.run(None, {"input": batch})[0][0].transpose(1, 2, 0)
        Image.fromarray(np.rint(result * 255).astype(np.uint8)).save(output / f"{number}.png")
    return time.perf_counter() - started, time.process_time() - processor
