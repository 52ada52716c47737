"""The picture of the documentation's page: frames of a noisy film, and what the filter makes of them as alpha moves.

    .venv-vapoursynth/bin/python benchmarks/vapoursynth/picture.py docs/how-to/pictures/vapoursynth.jpg

The film travels over the bundled photograph with its noise; the network is the bundled pair.
"""

import sys
from pathlib import Path

import numpy as np
from clips import FloatArray, endless, pixels
from PIL import Image, ImageDraw
from worker import frames

from dni_deploy.demo import EXPORTED
from dni_runtime.vapoursynth import enhance

COLUMNS, SIZE = 4, (160, 240)
GAP, LINE, QUALITY = 4, 16, 82


def main(place: Path) -> None:
    film = endless(frames(*SIZE)[:: 16 // COLUMNS])
    clean = enhance(film, EXPORTED, lambda n: 1 - n / (COLUMNS - 1))
    height, width = SIZE
    sheet = Image.new("RGB", (COLUMNS * (width + GAP) - GAP, 2 * height + GAP + LINE), "white")
    draw = ImageDraw.Draw(sheet)
    for n in range(COLUMNS):
        left = n * (width + GAP)
        for clip, top in ((film, 0), (clean, height + GAP)):
            with clip.get_frame(n) as frame:
                sheet.paste(_image(pixels(frame)), (left, top))
        draw.text((left + 2, 2 * height + GAP + 2), f"frame {n}, alpha {1 - n / (COLUMNS - 1):.2f}", fill="black")
    sheet.save(place, quality=QUALITY, optimize=True)


def _image(frame: FloatArray) -> Image.Image:
    return Image.fromarray(np.round(frame * 255).astype(np.uint8))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
