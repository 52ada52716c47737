"""What the networks are tried on: the photographs that come with this package, or the user's own."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dni_runtime import InputError

if TYPE_CHECKING:
    from PIL import Image

BUILT_IN = Path(__file__).parent / "photographs.npz"
MOST = 6
_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
# Places for a window along an axis.
_PLACES = 5


@dataclass(frozen=True, slots=True)
class Photograph:
    """name: of its file, for people; pixels: RGB uint8 (H, W, 3)."""

    name: str
    pixels: NDArray[np.uint8]

    def window(self, height: int, width: int, number: int = 0) -> NDArray[np.float32]:
        """RGB in 0..1 (height, width, 3): the part with the widest spread of colours, or one of the next ones.

        Nothing is resized: noise and the traces of JPEG, which networks work on, would go. A smaller photograph is
        mirrored at its borders.
        """
        tall, wide = (max(0, side - own) for side, own in zip((height, width), self.pixels.shape, strict=False))
        pixels = np.pad(self.pixels, ((0, tall), (0, wide), (0, 0)), "symmetric")
        tops, lefts = (
            np.unique(np.linspace(0, own - side, _PLACES).astype(int))
            for side, own in zip((height, width), pixels.shape, strict=False)
        )
        windows = [pixels[top : top + height, left : left + width] for top in tops for left in lefts]
        windows.sort(key=lambda window: -float(window.std(axis=(0, 1)).sum()))
        return windows[number % len(windows)].astype(np.float32) / np.float32(255)


def built_in() -> list[Photograph]:
    """The six of this package: ORIGINS.md beside them tells what they are.

    As pixels: decoders of JPEG differ in the last digits, and a verdict must not.
    """
    with np.load(BUILT_IN) as held:
        return [Photograph(name, held[name]) for name in sorted(held.files)]


def read_photographs(folder: str | PathLike[str], most: int = MOST, largest_px: int | None = None) -> list[Photograph]:
    """Up to `most` photographs of a folder, spread evenly over their sorted names.

    largest_px: how long their longer sides may be; those that are longer are made smaller.

    Raises InputError where there is no such folder, no photograph in it, or one that cannot be read.
    """
    where = Path(folder)
    if not where.is_dir():
        raise InputError(f"{where} is no folder; expected one with photographs ({', '.join(_SUFFIXES)})")
    files = sorted(path for path in where.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file())
    if not files:
        raise InputError(f"there is no photograph in {where}; expected files named {', '.join(_SUFFIXES)}")
    chosen = np.unique(np.linspace(0, len(files) - 1, min(most, len(files))).round().astype(int))
    return [_read(files[number], files[number].name, largest_px) for number in chosen]


def _read(path: Path, name: str, largest_px: int | None) -> Photograph:
    from PIL import Image, ImageOps  # here: a machine that only exports needs no decoder

    try:
        with Image.open(path) as image:
            pixels = _of_8_bits(ImageOps.exif_transpose(image)).convert("RGB")
            if largest_px is not None:
                pixels.thumbnail((largest_px, largest_px), Image.Resampling.LANCZOS)
            return Photograph(name, np.asarray(pixels))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as a photograph ({error}); take it out of the folder") from None


def _of_8_bits(image: "Image.Image") -> "Image.Image":
    """Pillow cuts grey of more bits off at white. Raises ValueError for numbers that do not tell what white is."""
    if image.mode.startswith("I;16"):
        from PIL import Image

        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError("it holds numbers of 32 bits; expected 8 or 16")
    return image


def network_input(pixels: NDArray[np.float32], channels: int) -> NDArray[Any]:
    """(H, W, 3) in 0..1 as a network with 1 or 3 channels takes it: float32 (1, C, H, W)."""
    if channels == 1:  # as Pillow makes "L" of "RGB"
        pixels = pixels @ np.array([[0.299], [0.587], [0.114]], np.float32)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])
