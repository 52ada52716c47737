"""Decoding, the network and encoding at the same time, in memory that does not grow with the film."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ffmpeg
import pytest
from films import film

from dni_deploy import enhance_film
from dni_deploy.films.colours.conversion import Conversion
from dni_deploy.films.making.job import FilmJob
from dni_deploy.films.making.make_parts import LIMIT_BYTES
from dni_deploy.films.target.part_file import PartFile

pytestmark = pytest.mark.alone

STEP_S = 0.02
PROGRAM = r"""
import re, sys
from dni_deploy import enhance_film
enhance_film(*sys.argv[1:4], threads=1)
# Not getrusage's: that knows the memory of whoever has started this process, too.
print(1024 * int(re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1]))
"""


def slowed(step: Callable[..., Any]) -> Callable[..., Any]:
    def wait(*arguments: Any, **options: Any) -> Any:
        time.sleep(STEP_S)
        return step(*arguments, **options)

    return wait


def test_all_three_steps_run_at_once(darkens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Conversion, "to_picture", slowed(Conversion.to_picture))
    monkeypatch.setattr(FilmJob, "enhance", slowed(FilmJob.enhance))
    monkeypatch.setattr(PartFile, "write", slowed(PartFile.write))
    report = enhance_film(darkens, film("long"), tmp_path / "out.mp4", 0.5)
    # One after another it would be three steps a frame; what else there is to do comes on top of one.
    assert report.frames * STEP_S < report.seconds < 2 * report.frames * STEP_S


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_memory_is_that_of_a_short_film(same: Path, tmp_path: Path):
    peaks_bytes = []
    for count in (200, 4000):
        source = tmp_path / f"{count}.mkv"
        pictures = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25,format=yuv420p", "-frames:v", count)
        ffmpeg.ffmpeg(*pictures, "-c:v", "libx264", "-preset", "ultrafast", "-g", 25, source)
        command = [sys.executable, "-c", PROGRAM, same, source, tmp_path / f"out{count}.mp4"]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
        peaks_bytes.append(float(done.stdout))
    short, long = peaks_bytes
    assert long - short < 16 * 2**20  # measured: 2 to 3 MiB; a single one of these frames 9 KiB, all 35 MiB
    assert short < LIMIT_BYTES
