"""The memory of a film: the peak of the whole process, for a short one and one ten times as long."""

import subprocess
import sys
from pathlib import Path

from footage import small

FRAMES = 500, 5000
# In a small process between: one that is started counts what the one that starts it had as its own peak.
_MEASURING = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peaks_mb(model: Path, folder: Path) -> dict[int, float]:
    """By the number of frames of 64 x 48 pixels."""
    return {frames: _peak_mb(model, small(folder / f"{frames}.mp4", frames)) for frames in FRAMES}


def _peak_mb(model: Path, film: Path) -> float:
    program = [str(Path(sys.executable).with_name("dni")), "film", str(model), str(film), "--alpha", "0.4"]
    measured = [sys.executable, "-c", _MEASURING, *program, "-o", str(film.with_suffix(".mkv")), "--force"]
    peak = int(subprocess.run(measured, stdout=subprocess.PIPE, check=True).stdout)
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
