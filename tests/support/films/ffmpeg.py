"""The ffmpeg program, apart from the libraries that the project uses: it makes films, and says what is in them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg


def ffmpeg(*arguments: str | Path, folder: Path | None = None) -> bytes:
    """Run ffmpeg in `folder`; what it writes to standard output. An error of ffmpeg's is an AssertionError."""
    done = subprocess.run(
        [_program(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y", *map(str, arguments)],
        capture_output=True,
        cwd=folder,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"ffmpeg {' '.join(map(str, arguments))}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def described(film: Path) -> str:
    """What `ffmpeg -i` says of a film: its container, metadata, chapters and streams."""
    told = subprocess.run([_program(), "-hide_banner", "-i", str(film)], capture_output=True, check=False).stderr
    return told.decode(errors="replace")


def _program() -> str:
    program: str = imageio_ffmpeg.get_ffmpeg_exe()
    return program
