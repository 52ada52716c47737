"""PNG files of 16 bits a channel with colours or opacity, which Pillow has no pixels for: it keeps 8 of the bits.

Its decoder, in C, is told to keep the upper bytes and then, by its name for the other byte order, the lower ones; so
it does all there is to do (filters, interlacing), twice: with the check of `stream` 0.2 s of processor time a
megapixel, where pypng took 0.5 to 2.7 s. Of other decoders imagecodecs and OpenCV are 25 to 40 MB to download, a
quarter of what all else takes on a small device; pyspng (0.2 MB) rests on libspng, which is not maintained.
"""

from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from dni_deploy.image_files.bands import bands

from .stream import GREY_OPACITY, RGB, PngHeader

_LOW, _HIGH = 0, 1


def read_color(file: IO[bytes], image: Image.Image, header: PngHeader, add_opacity: bool) -> npt.NDArray[np.uint16]:
    """The pixels (H, W, 3 or 4) of a file with 16 bits a channel, which has passed `check_pixels`.

    `image`: opened from `file`, not loaded yet; it is, afterwards, with something else than it should be. With
    `add_opacity` RGB comes as (H, W, 4) whose opacity is still to be written.
    """
    channels = 3 if header.color == RGB else 4
    result = np.empty((header.height, header.width, 4 if add_opacity else channels), "<u2")
    if header.color == GREY_OPACITY:
        # Two channels of 16 bits are as many bytes as four of 8, which the filters cannot tell apart.
        for top, part in _decode(image, "RGBA"):
            result[top : top + len(part)] = part.view(">u2")[:, :, [0, 0, 0, 1]]
        return result.astype(np.uint16, copy=False)
    halves = result.view(np.uint8).reshape(*result.shape, 2)
    mode = "RGB" if header.color == RGB else "RGBA"
    for top, part in _decode_again(file, f"{mode};16B"):
        halves[top : top + len(part), :, :channels, _HIGH] = part
    for top, part in _decode(image, f"{mode};16L"):
        halves[top : top + len(part), :, :channels, _LOW] = part
    return result.astype(np.uint16, copy=False)


def _decode(image: Any, raw_mode: str) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    """`bands`, unpacked by another of Pillow's raw modes than the file stands for."""
    image.tile = [image.tile[0]._replace(args=raw_mode)]
    return bands(image)


def _decode_again(file: IO[bytes], raw_mode: str) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    with Image.open(file, formats=["PNG"]) as image:
        yield from _decode(image, raw_mode)
