"""The ffmpeg program, apart from the libraries that dni-deploy uses: it makes the films, and is the yardstick."""

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

# FFmpeg's own conversion, as exact as it is offered.
EXACT = "flags=accurate_rnd+full_chroma_int+full_chroma_inp"


def ffmpeg(*arguments: object) -> bytes:
    """What it writes to standard output. Raises CalledProcessError, having said why."""
    return subprocess.run([*_start(), *map(str, arguments)], stdout=subprocess.PIPE, check=True).stdout


def version() -> str:
    return ffmpeg("-version").decode().split()[2].partition("-")[0]


def planes(film: Path, pixels: str, filters: str = "null") -> NDArray[np.uint8] | NDArray[np.uint16]:
    """All samples of all frames in `pixels`, one of FFmpeg's formats; what ends in "le" is of 16 bits."""
    raw = ffmpeg("-i", film, "-vf", filters, "-fps_mode", "passthrough", "-pix_fmt", pixels, "-f", "rawvideo", "-")
    return np.frombuffer(raw, np.uint16 if pixels.endswith("le") else np.uint8)


def encode(frames: Iterable[NDArray[np.uint8]], size: tuple[int, int], rate: int, film: Path, *options: str) -> None:
    """RGB frames of (height, width) as a film; `options` of the encoder."""
    with _fed(size, rate, film, options) as pipe:
        for frame in frames:
            pipe.write(np.ascontiguousarray(frame).data)


@contextmanager
def _fed(size: tuple[int, int], rate: int, film: Path, options: Iterable[str]) -> Iterator[IO[bytes]]:
    height, width = size
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(rate), "-i", "-"]
    program = subprocess.Popen([*_start(), *raw, *options, str(film)], stdin=subprocess.PIPE)
    assert program.stdin is not None
    with program.stdin:
        yield program.stdin
    if program.wait():
        raise RuntimeError(f"ffmpeg made no {film.name}")


def _start() -> list[str]:
    return [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y"]
