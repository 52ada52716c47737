"""The files that vs-mlrt takes, in vs-mlrt itself: whole frames and tiles, beside `model(x, alpha)`."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from clips import FloatArray, endless, mlrt, pixels, strengths
from names import ALPHA

import dni_runtime

TILES: dict[str, dict[str, Any]] = {"whole frames": {}, "tiles of 160 x 128": {"tilesize": [160, 128], "overlap": 16}}
ALPHAS = (0.0, 0.3, 1.0)


def differences(files: dict[str, Path], frame: FloatArray) -> list[dict[str, Any]]:
    """Of each file, way and alpha the largest difference."""
    film, x = endless([frame]), np.ascontiguousarray(frame.transpose(2, 0, 1)[None])
    found: list[dict[str, Any]] = []
    # Differences in int8 make other weights: that file is its own reference, in our runtime.
    for file, reference, alphas in (
        ("plane", "model", ALPHAS),
        ("small", "small", ALPHAS),
        ("baked", "model", (ALPHA,)),
    ):
        with dni_runtime.load(files[reference], "cpu") as model:
            for alpha, (how, options) in product(alphas, TILES.items()):
                clips = [film] if file == "baked" else [film, strengths([alpha], film)]
                wanted = model(x, alpha)[0].transpose(1, 2, 0)
                with mlrt(clips, files[file], **options).get_frame(0) as made:
                    apart = float(np.abs(pixels(made) - wanted).max())
                found.append({"file": file, "how": how, "alpha": alpha, "apart": apart})
    return found


def refusal(model: Path, frame: FloatArray) -> str:
    """What vs-mlrt says of a file with two inputs."""
    import vapoursynth as vs

    try:
        mlrt([endless([frame])], model)
    except vs.Error as error:
        return str(error)
    return ""
