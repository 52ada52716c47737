"""The ffmpeg program, apart from the libraries that the project uses: it makes films, and says what is in them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Shown:
    """A frame or a packet: when it is shown, for how long (seconds), and a hash of its bytes."""

    second: Fraction
    duration: Fraction
    content: str


def ffmpeg(*arguments: object, folder: Path | None = None) -> bytes:
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


def frames(film: Path, *filters: str) -> list[Shown]:
    """The frames of the first stream of pictures, as they are coded: not turned. `filters` come before the hash."""
    chosen = ["-map", "0:v:0", "-fps_mode", "passthrough", "-enc_time_base", "demux"]
    filtered = ["-vf", ",".join(filters)] if filters else []
    return _hashed("-copyts", "-noautorotate", *_decoder(film), "-i", film, *chosen, *filtered)


def packets(film: Path, stream: str) -> list[Shown]:
    """The packets of a stream, such as "a:0", as they lie in the file."""
    return _hashed("-copyts", "-i", film, "-map", f"0:{stream}", "-c", "copy")


def pictures(film: Path, pixels: str = "rgb24", *, turned: bool = False) -> npt.NDArray[Any]:
    """All frames as FFmpeg itself converts them, uint8 or (of a format that ends in "le") uint16, (N, H, W, C).

    `turned`: as players show them; otherwise as they are coded.
    """
    exactly = "accurate_rnd+full_chroma_int+full_chroma_inp"
    chosen = ["-map", "0:v:0", "-fps_mode", "passthrough", "-sws_flags", exactly, "-pix_fmt", pixels]
    content = ffmpeg(
        *([] if turned else ["-noautorotate"]), *_decoder(film), "-i", film, *chosen, "-f", "rawvideo", "-"
    )
    dtype = "<u2" if pixels.endswith("le") else np.uint8
    channels = 1 if pixels.startswith("gray") else 4 if "a" in pixels else 3
    return np.frombuffer(content, dtype).reshape(-1, *size(film, turned=turned), channels)


def size(film: Path, *, turned: bool = False) -> tuple[int, int]:
    """Height and width of the pictures as they are coded, or `turned` as players show them."""
    told = described(film)
    width, height = map(int, re.findall(r"Video: .*?, (\d+)x(\d+)", told)[0])
    aside = turned and re.search(r"rotation of -?(90|270)", told)
    return (width, height) if aside else (height, width)


def described(film: Path) -> str:
    """What `ffmpeg -i` says of a film: its container, metadata, chapters and streams."""
    told = subprocess.run([_program(), "-hide_banner", "-i", str(film)], capture_output=True, check=False).stderr
    return told.decode(errors="replace")


def streams(film: Path) -> list[str]:
    """Of `described`, what stands behind the number of each stream: its language, kind, codec, and what that says."""
    return re.findall(r"Stream #\d+:\d+(?:\[\w+\])?(.*)", described(film))


def marks(film: Path) -> dict[str, str]:
    """What the first picture says of itself: shape of its pixels, colours, how to turn it, what HDR is mastered for.

    As players read it: pixels are square where nothing is said, and the range is limited.
    """
    arguments = ["-hide_banner", "-noautorotate", "-i", str(film), "-map", "0:v:0", "-frames:v", "1", "-vf", "showinfo"]
    done = subprocess.run([_program(), *arguments, "-f", "null", "-"], capture_output=True, check=True)
    told = done.stderr.decode(errors="replace").split("Parsed_showinfo_0", 1)[1]
    found = dict(re.findall(r"\b(sar|color_\w+):(\S+)", told.split(" n:   1 ")[0]))
    across, down = map(int, found["sar"].split("/"))
    found["sar"] = str(Fraction(across or 1, down))
    found["color_range"] = found["color_range"].replace("unknown", "tv")
    for name in ("Mastering display metadata", "Content light level metadata"):
        for told_of in re.findall(rf"side data - {name}: (.*)", told):
            # AV1 counts the darkest light in parts of 16384, others in parts of 10000.
            found[name] = re.sub(r"\d+\.\d{4,}", lambda number: f"{float(number[0]):.4f}", told_of)
    return found | dict(re.findall(r"(Display Matrix): (.*)", described(film)))


def metadata(film: Path) -> str:
    """Tags of the film, its streams and chapters, in FFmpeg's own format."""
    return ffmpeg("-i", film, "-map", "0", "-c", "copy", "-f", "ffmetadata", "-").decode()


def _decoder(film: Path) -> list[str]:
    """FFmpeg's own decoder of VP9 leaves opacity out."""
    return ["-c:v", "libvpx-vp9"] if "Video: vp9" in described(film) else []


def _hashed(*arguments: object) -> list[Shown]:
    lines = ffmpeg(*arguments, "-f", "framemd5", "-").decode().splitlines()
    (base,) = [Fraction(line.split()[-1]) for line in lines if line.startswith("#tb ")]
    rows = [[word.strip() for word in line.split(",")] for line in lines if not line.startswith("#")]
    return [Shown(int(row[2]) * base, int(row[3]) * base, row[5]) for row in rows]


def _program() -> str:
    program: str = imageio_ffmpeg.get_ffmpeg_exe()
    return program
