"""What users do with pictures from strangers: `read_image`, and `dni run` on a folder that holds good ones too."""

import contextlib
import ctypes
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from attempt import Answer
from case import Place
from commands import dni, judge, judge_raised
from numpy.typing import NDArray
from outcome import RIGHT, SENTENCE, WRONG

_ALPHA = 0.5
_M_PERTURB = -6
# Larger ones are compared with themselves alone: the reference for 16 bits is slow.
_REFERENCE_LIMIT_PIXELS = 400_000


@dataclass(frozen=True, slots=True)
class Kit:
    """What pictures are tried with: an alpha-input model, good pictures that lie beside, and what it makes of each."""

    model: Path
    beside: tuple[Path, ...]
    expected: Path

    def read(self, place: Place, file: Path) -> Answer:
        """`read_image`, twice, each time in memory that held something else: the same, and the reference's."""
        from dni_deploy.image_files.read_write import read_image

        read = []
        for filled_with in (0x55, 0xAA):
            ctypes.CDLL(None).mallopt(_M_PERTURB, filled_with)
            try:
                read.append(read_image(file))
            except Exception as error:
                return judge_raised(error)
        if not np.array_equal(read[0], read[1]):
            return Answer(WRONG, "read twice, the pixels differ: they come from memory that nobody wrote")
        return _compare(read[0], file)

    def run(self, place: Place, file: Path) -> Answer:
        """`dni run` on the folder: the good pictures come out right, whatever the stranger's is."""
        from dni_deploy.frames.finished import FOLDER

        said = dni(place, "run", self.model, place.inputs, "-o", place.outputs / "made", "--alpha", _ALPHA,
                   "--provider", "cpu", "--threads", 1)  # fmt: skip
        answer = judge(said)
        for good in self.beside:
            if problem := _differs(place.outputs / "made" / good.name, np.load(self.expected)):
                return Answer(WRONG, f"a good picture beside it {problem}; {answer.detail or said.err[-200:]}")
        hidden = [path.name for path in (place.outputs / "made").iterdir() if path.name.startswith(".")]
        left = [name for name in hidden if name != FOLDER]  # its notes, to go on by
        if left:
            return Answer(WRONG, f"{left[0]} is left in the results")
        if answer.result == RIGHT and said.errors:
            return Answer(SENTENCE, f"something else on stderr: {said.errors[0][:160]}")
        return answer


def _differs(file: Path, expected: NDArray[Any]) -> str:
    from PIL import Image

    if not file.is_file():
        return "has no result"
    with Image.open(file) as image:
        pixels = np.array(image)
    if pixels.shape != expected.shape:
        return f"has a result of shape {pixels.shape}"
    worst = int(np.abs(pixels.astype(int) - expected).max())
    return f"is off by {worst} of 255" if worst > 1 else ""


def _compare(pixels: NDArray[Any], file: Path) -> Answer:
    with contextlib.suppress(Exception):  # whatever keeps the reference from reading it: there is none then
        expected = _reference(file)
        if expected is None or pixels.size > _REFERENCE_LIMIT_PIXELS:
            return Answer(RIGHT, "without a reference")
        if pixels.shape != expected.shape:
            return Answer(WRONG, f"shape {pixels.shape}, the reference has {expected.shape}")
        worst = np.abs(pixels.astype(int) - expected).max()
        return Answer(WRONG, f"off by {worst} of {np.iinfo(pixels.dtype).max}") if worst > 2 else Answer(RIGHT)
    return Answer(RIGHT, "without a reference")


def _reference(file: Path) -> NDArray[Any] | None:
    """By Pillow where it keeps all bits, by pypng and tifffile where it does not; None where neither is sure."""
    from PIL import Image, ImageOps

    data = file.read_bytes()
    is_png = data.startswith(b"\x89PNG")
    if is_png and data[24] == 16:
        return _png_of_16_bits(file, len(data))
    with Image.open(file) as image:
        if is_png and data[24] < 8 and "transparency" in image.info and image.mode != "P":
            return None  # Pillow looks for the transparent grey among values that it has enlarged
        if image.format in ("TIFF", "PPM", "SGI", "JPEG2000") or image.mode not in ("1", "L", "P", "RGB", "RGBA", "LA"):
            return None  # may hold more bits than Pillow gives, or need a profile
        image.load()
        image = ImageOps.exif_transpose(image)
        mode = "RGBA" if image.has_transparency_data else "L" if image.mode in ("1", "L") else "RGB"
        return np.array(image.convert(mode))


def _png_of_16_bits(file: Path, size_bytes: int) -> NDArray[Any] | None:
    import png

    width, height, rows, info = png.Reader(str(file)).asDirect()
    if width * height > _REFERENCE_LIMIT_PIXELS or size_bytes > 10_000 + 20 * width * height:
        return None  # pypng inflates all that is there
    pixels = np.vstack([np.array(row, np.uint16) for row in itertools.islice(rows, height)]).reshape(
        height, width, info["planes"]
    )
    if info["planes"] == 2:
        return np.concatenate([np.repeat(pixels[:, :, :1], 3, axis=2), pixels[:, :, 1:]], axis=2)
    return pixels[:, :, 0] if info["planes"] == 1 else pixels
