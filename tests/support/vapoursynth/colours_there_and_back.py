"""Run in VapourSynth: films through a network that returns its input, as RGB in front of the filter and as films again.

Arguments: model, folder, then films by name. Of each `NAME.mkv` in the folder NAME.npz is written: "seen", the filter's
own frame 0 as float32 (H, W, 3), "returned", the planes of the film that is made of it, (H, W, 3), and "marks".
"""

import sys
from pathlib import Path

import numpy as np
import vapoursynth as vs
from vs_clips import pixels

from dni_runtime.vapoursynth import enhance


def main(model: str, folder: Path, names: list[str]) -> None:
    for name in names:
        film = vs.core.bs.VideoSource(str(folder / f"{name}.mkv"), cachemode=0)
        marks = film.get_frame(0).props
        # What the film says of itself counts; "709" is for one that says nothing.
        seen = enhance(film.resize.Bicubic(format=vs.RGBS, matrix_in_s="709"), model, 1.0)
        matrix = vs.MATRIX_BT709 if marks["_Matrix"] == vs.MATRIX_UNSPECIFIED else marks["_Matrix"]
        back = seen.resize.Bicubic(format=film.format.id, matrix=matrix, range=marks["_Range"])
        with seen.get_frame(0) as rgb, back.get_frame(0) as yuv:
            found = [int(yuv.props[each]) for each in ("_Matrix", "_Range")]
            np.savez(folder / f"{name}.npz", seen=pixels(rgb), returned=pixels(yuv), marks=found)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
