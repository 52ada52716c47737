"""The memory of a film: the peak of the whole process, for a short one and one ten times as long."""

import os
import subprocess
import sys
from pathlib import Path

from footage import small

FRAMES = 500, 5000


def peaks_mb(model: Path, folder: Path) -> dict[int, float]:
    """By the number of frames of 64 x 48 pixels."""
    return {frames: _peak_mb(model, small(folder / f"{frames}.mp4", frames)) for frames in FRAMES}


def _peak_mb(model: Path, film: Path) -> float:
    program = [str(Path(sys.executable).with_name("dni")), "film", str(model), str(film), "--alpha", "0.4"]
    child = subprocess.Popen(
        [*program, "-o", str(film.with_suffix(".mkv")), "--force"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"dni film failed with {film.name}")
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
