"""How near to clean a film of scenes with more and less noise comes: by one alpha for all of it, and by `auto`."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ffmpeg import encode, planes
from footage import HELD_OUT, noisy
from numpy.typing import NDArray

import dni_deploy
from dni_deploy.calibrating import calibrate
from dni_deploy.demo import EXPORTED, STRONG, WEAK
from dni_runtime.calibration import AUTO

SIGMAS = 15, 45, 25, 10
"""Of the noise in each scene, of 255."""
FRAMES = 18  # of a scene
RATE = 6
_SIZE = 160, 208
_SHOWN, _LEARNED = HELD_OUT[:2], HELD_OUT[2:]
_ALPHAS: tuple[Any, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, AUTO)


@dataclass(frozen=True, slots=True)
class Row:
    """PSNR of the frames of each scene to the clean ones, and that of the whole film's mean error, in dB."""

    alpha: str
    scenes_db: Sequence[float]
    film_db: float


def measure(folder: Path) -> list[Row]:
    model, film = _calibrated(folder), folder / "scenes.mkv"
    clean = np.stack([*_clean()])
    grain = [noisy(frame.astype(np.float32) / 255, SIGMAS[n // FRAMES], n) for n, frame in enumerate(clean)]
    dirty = [(frame.clip(0, 1) * 255).round().astype(np.uint8) for frame in grain]
    encode(dirty, _SIZE, RATE, film, "-c:v", "ffv1", "-pix_fmt", "gbrp")
    rows = []
    for alpha in _ALPHAS:
        made = dni_deploy.enhance_film(model, film, folder / "made.mkv", alpha, lossless=True, overwrite=True).output
        errors = np.square(planes(made, "rgb24").reshape(clean.shape).astype(np.float32) - clean).mean(axis=(1, 2, 3))
        scenes = errors.reshape(len(SIGMAS), FRAMES).mean(axis=1)
        rows.append(Row(str(alpha), [_db(error) for error in scenes], _db(errors.mean())))
    return rows


def _calibrated(folder: Path) -> Path:
    """The bundled pair, calibrated on photographs that are not in the film."""
    photographs = folder / "clean"
    photographs.mkdir()
    for each in _LEARNED:
        levels = (each.pixels() * 255).round().astype(np.uint8)
        dni_deploy.write_image(photographs / f"{each.name}.png", levels)
    for file in (EXPORTED, WEAK, STRONG):
        shutil.copy(file, folder)
    model = folder / "calibrated.onnx"
    calibrate(folder / EXPORTED.name, photographs, noise=(5, 15, 25, 35, 45, 55), output=model)
    return model


def _clean() -> list[NDArray[np.uint8]]:
    """A camera moves over one photograph, then over another, in turn."""
    height, width = _SIZE
    frames = []
    for scene in range(len(SIGMAS)):
        photo = (_SHOWN[scene % len(_SHOWN)].pixels() * 255).round().astype(np.uint8)
        place = 40 * scene
        frames += [photo[place + n : place + n + height, 2 * n : 2 * n + width] for n in range(FRAMES)]
    return frames


def _db(error: float) -> float:
    return float(10 * np.log10(255**2 / error))
