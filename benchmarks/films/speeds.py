"""Frames a second: of a film, of its network and of FFmpeg alone; with alpha held, moving, and baked into the file."""

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ffmpeg import EXACT, ffmpeg, planes
from footage import RATE, SECONDS, SIZE
from names import BAKED, FFMPEG, HELD, MOVING, NETWORK, RETURNED

import dni_deploy
import dni_runtime
from dni_deploy.bench.measuring.race import Round

ALPHA = 0.4
# What `dni film` asks of x264 where nothing else is wanted; compared with what it says to have done.
X264 = ("-c:v", "libx264", "-preset", "medium", "-crf", "16", "-pix_fmt", "yuv420p")
_CHECKED_S = 1


@dataclass(frozen=True, slots=True)
class Files:
    """What is run: the alpha-input model, the same with alpha pinned, one that returns its input, and the film."""

    model: Path
    baked: Path
    returning: Path
    film: Path
    folder: Path


def measure(files: Files, rounds: int) -> list[Round]:
    """Seconds of each entry, in an order drawn anew for every round, once results were found to be equal."""
    check(files)
    keys = moving_keys(files.folder / "keys.csv")
    with dni_runtime.load(files.model) as model:
        pictures = decoded(files.film)
        entries: dict[str, Callable[[], Any]] = {
            NETWORK: lambda: [model(picture, ALPHA) for picture in pictures],
            FFMPEG: lambda: ffmpeg_alone(files.film, files.folder / "ffmpeg.mp4"),
            HELD: lambda: enhanced(files, files.model, "held.mp4", alpha=ALPHA),
            MOVING: lambda: enhanced(files, files.model, "moving.mp4", alpha_from=keys),
            BAKED: lambda: enhanced(files, files.baked, "baked.mp4"),
            RETURNED: lambda: enhanced(files, files.returning, "returned.mp4"),
        }
        model(pictures[0], ALPHA)
        order = random.Random(0)
        return [
            {name: timed(entries[name]) for name in order.sample(list(entries), len(entries))} for _ in range(rounds)
        ]


def busy(files: Files) -> float:
    """The share of all cores' time that is used while a film is made."""
    before, started = os.times(), time.perf_counter()
    enhanced(files, files.model, "busy.mp4", alpha=ALPHA)
    after, seconds = os.times(), time.perf_counter() - started
    return (after.user + after.system - before.user - before.system) / seconds / len(os.sched_getaffinity(0))


def timed(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def enhanced(files: Files, model: Path, name: str, **options: Any) -> Path:
    output = files.folder / name
    dni_deploy.enhance_film(model, files.film, output, overwrite=True, **options)
    return output


def check(files: Files) -> None:
    """Alpha as an input, as a curve that stays, and baked give the same pictures, but for what 8 bits round."""
    curve = files.folder / "constant.csv"
    curve.write_text(f"time,alpha\n0,{ALPHA}\n{SECONDS},{ALPHA}\n")
    ways: dict[str, tuple[Path, dict[str, Any]]] = {
        HELD: (files.model, {"alpha": ALPHA}),
        MOVING: (files.model, {"alpha_from": curve}),
        BAKED: (files.baked, {}),
    }
    found = {
        name: planes(enhanced(files, model, "checked.mkv", lossless=True, end=_CHECKED_S, **options), "yuv420p")
        for name, (model, options) in ways.items()
    }
    assert not np.array_equal(found[HELD], planes(files.film, "yuv420p")[: found[HELD].size])
    for name, pixels in found.items():
        apart = np.abs(pixels.astype(np.int16) - found[HELD])
        if apart.max() > 1 or np.count_nonzero(apart) > 1e-3 * apart.size:
            raise AssertionError(f"{name} is another film than {HELD}: {apart.max()} of 255 apart")


def moving_keys(file: Path) -> Path:
    """Another alpha at every frame."""
    count = RATE * SECONDS
    rows = [f"{number},{0.2 + 0.6 * number / (count - 1):.6f}" for number in range(count)]
    file.write_text("\n".join(["frame,alpha", *rows]) + "\n")
    return file


def decoded(film: Path) -> list[Any]:
    """Every frame as the network takes it: float32 (1, 3, H, W)."""
    frames = planes(film, "rgb24").reshape(-1, 1, *SIZE, 3)
    return [np.ascontiguousarray(frame.transpose(0, 3, 1, 2), np.float32) / np.float32(255) for frame in frames]


def ffmpeg_alone(film: Path, output: Path) -> None:
    """Decoding, to RGB and back, and encoding, by threads of the program's own."""
    there_and_back = f"scale={EXACT},format=rgb24,scale=out_color_matrix=bt709:{EXACT},format=yuv420p"
    ffmpeg("-i", film, "-vf", there_and_back, *X264, output)
