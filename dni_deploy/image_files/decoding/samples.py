"""The pixels of a file that Pillow has opened, exactly as they were written, or a sentence on why not.

Pillow turns what it has no pixels for into what it has, without a word: 16 bits into 8, signed into unsigned numbers,
strips that are missing into black. Here each kind of pixels is named that comes out right; all others are refused.
"""

from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, TiffImagePlugin

from dni_deploy.image_files.bands import bands
from dni_deploy.image_files.png.sixteen_bit import read_color
from dni_deploy.image_files.png.stream import GREY, PALETTE, RGB, PngHeader, check_pixels, read_header
from dni_runtime import InputError

from .deep_codecs import codec_kind, read_deep_codec
from .parts import check_scans
from .values import spread

# Pillow's mode -> the one that holds the same in 8 bits a channel.
_SAME = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "RGBA": "RGBA", "LA": "RGBA", "PA": "RGBA"}
_SAME |= {"CMYK": "RGB", "YCbCr": "RGB"}
# Pillow decodes them in Python, a pixel at a time.
_MOST_RUN_LENGTH_PIXELS = 20_000_000
_WHITE_IS_ZERO, _YCBCR = 0, 6  # how a TIFF means its values
# libtiff has memory for a whole tile, however small the image is; 256 x 256 is usual.
_LARGEST_TILE_PIXELS = 2**24


def read_samples(path: Path, file: IO[bytes], image: ImageFile.ImageFile) -> npt.NDArray[Any]:
    """What `read_image` returns, not yet upright. `image`: opened from `file`, whose name is `path` in messages.

    Raises InputError for kinds that would lose precision or come out wrong, and whatever Pillow does where it fails.
    """
    if image.format == "PNG":
        return _read_png(path, file, image)
    pixels = image.width * image.height
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        if image.tag_v2.get(TiffImagePlugin.COMPRESSION) in (6, 7):  # JPEG, in as many parts as there are strips
            check_scans(file, pixels // max(1, _strip_count(image)), in_tiff=True)
        return _read_tiff(path, image)
    if image.format in ("JPEG", "MPO"):
        check_scans(file, pixels)
    elif image.format == "BMP" and image.tile[0].codec_name == "bmp_rle" and pixels > _MOST_RUN_LENGTH_PIXELS:
        raise InputError(f"{path} is a run-length BMP of {pixels // 1_000_000} million pixels; save it as PNG")
    elif image.format in ("AVIF", "JPEG2000"):
        if (deep := read_deep_codec(path, file, image)) is not None:
            return deep
        if image.format == "AVIF" and image.mode == "RGB" and codec_kind(file, "AVIF")[1] == 1:
            return np.ascontiguousarray(copy_pixels(path, image)[:, :, 0])
    return copy_pixels(path, image)


def kind_of_samples(file: IO[bytes], image: ImageFile.ImageFile) -> tuple[npt.DTypeLike, int]:
    """Dtype and channels of what `read_samples` is going to return, from headers."""
    mode = image.mode
    bits = 16 if mode.startswith("I;16") else 8
    channels = 1 if mode in ("1", "L") or bits == 16 else 3
    if image.format == "PNG":
        bits = read_header(file).bits
    elif image.format in ("AVIF", "JPEG2000"):
        bits, colors = codec_kind(file, image.format)
        channels = 1 if colors == 1 else 3
    has_opacity = image.has_transparency_data or mode in ("LA", "PA", "RGBA")
    return np.uint16 if bits > 8 else np.uint8, 4 if has_opacity else channels


def _read_png(path: Path, file: IO[bytes], image: ImageFile.ImageFile) -> npt.NDArray[Any]:
    header = read_header(file)
    if (header.width, header.height) != image.size:
        raise ValueError("its headers do not agree")
    check_pixels(file, header)
    if header.color == PALETTE:
        return copy_pixels(path, image)
    transparent = _transparent(image, header)
    add_opacity = transparent is not None
    if header.bits == 16 and header.color != GREY:
        pixels: npt.NDArray[Any] = read_color(file, image, header, add_opacity)
    else:
        pixels = copy_pixels(path, image, add_opacity)
    if transparent is not None:
        _hide(pixels, transparent)
    return pixels


def copy_pixels(path: Path, image: Image.Image, add_opacity: bool = False) -> npt.NDArray[Any]:
    """All pixels; with `add_opacity`, grey or RGB as (H, W, 4) whose opacity is still to be written."""
    is_wide = image.mode.startswith("I;16")
    if is_wide:
        mode = image.mode
    elif image.mode in _SAME:
        mode = "RGBA" if image.has_transparency_data else _SAME[image.mode]
    else:
        kind = {"F": "floating-point values", "I": "values of 32 bits"}.get(image.mode, f"pixels of kind {image.mode}")
        raise InputError(f"{path} has {kind}; expected grey, RGB or CMYK of 8 or 16 bits a channel")
    channels = 4 if add_opacity else Image.getmodebands(mode)
    shape = (image.height, image.width) if channels == 1 else (image.height, image.width, channels)
    pixels: npt.NDArray[Any] = np.empty(shape, np.uint16 if is_wide else np.uint8)
    for top, part in bands(image, mode):
        if add_opacity:
            pixels[top : top + len(part), :, :3] = part if part.ndim == 3 else part[:, :, None]
        else:
            pixels[top : top + len(part)] = part
    return pixels


def _transparent(image: Image.Image, header: PngHeader) -> tuple[int, ...] | None:
    """The grey or colour that the file calls transparent, as its pixels are once they are read; None without one.

    Taken off the image, for Pillow compares it with pixels of other depths than its own.
    """
    key = image.info.pop("transparency", None)
    if key is None or header.color not in (GREY, RGB):
        return None
    if header.bits == 1:
        return (int(key),)  # 0 or 255 already
    limit = 2**header.bits - 1
    return tuple((value & limit) * max(1, 255 // limit) for value in (key if isinstance(key, tuple) else (key,)))


def _hide(pixels: npt.NDArray[Any], transparent: tuple[int, ...]) -> None:
    """Write the opacity of pixels (H, W, 4): none where the colour is just `transparent`, full elsewhere."""
    hidden = np.ones(pixels.shape[:2], bool)
    for channel, value in enumerate(transparent):
        hidden &= pixels[:, :, channel] == value
    pixels[:, :, 3] = np.iinfo(pixels.dtype).max
    pixels[hidden, 3] = 0


def _read_tiff(path: Path, image: TiffImagePlugin.TiffImageFile) -> npt.NDArray[Any]:
    tags = image.tag_v2
    bits = max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
    number = next((number for number in tags.get(TiffImagePlugin.SAMPLEFORMAT, (1,)) if number != 1), 1)
    if number != 1:
        kind = {2: "signed", 3: "floating-point"}.get(number, "other than whole")
        raise InputError(f"{path} has {kind} values; expected unsigned ones, 8 or 16 bits a channel")
    if bits > 8 and not image.mode.startswith("I;16"):
        raise InputError(f"{path} is a TIFF with {bits} bits a channel; save it as a 16-bit PNG")
    photometric = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, 0)
    compression, subsampling = (
        tags.get(TiffImagePlugin.COMPRESSION, 1),
        tags.get(TiffImagePlugin.YCBCRSUBSAMPLING, (2, 2)),
    )
    if photometric == _YCBCR and compression == 1 and subsampling != (1, 1):  # which Pillow takes for (1, 1)
        raise InputError(f"{path} is an uncompressed TIFF of subsampled YCbCr; save it as PNG")
    tile_pixels = tags.get(TiffImagePlugin.TILEWIDTH, 0) * tags.get(TiffImagePlugin.TILELENGTH, 0)
    if tile_pixels > max(_LARGEST_TILE_PIXELS, image.width * image.height):
        raise ValueError("its tiles are larger than it is")
    inverted = bits > 8 and photometric == _WHITE_IS_ZERO
    if not _covered(image):
        raise ValueError("parts of its pixels are missing")
    pixels = copy_pixels(path, image)
    if bits == 12:
        pixels = spread(pixels, bits)
    return np.iinfo(pixels.dtype).max - pixels if inverted else pixels


def _covered(image: TiffImagePlugin.TiffImageFile) -> bool:
    """Whether there are strips or tiles for all pixels, in each plane; Pillow lays them side by side, row by row."""
    in_planes = image.tag_v2.get(TiffImagePlugin.PLANAR_CONFIGURATION, 1) == 2
    if image.use_load_libtiff:  # one tile is the whole image then, and libtiff misses none
        in_planes = False
    extents = [tile.extents or (0, 0, 0, 0) for tile in image.tile]
    area = sum((right - left) * (bottom - top) for left, top, right, bottom in extents)
    return area >= (len(image.getbands()) if in_planes else 1) * image.width * image.height


def _strip_count(image: TiffImagePlugin.TiffImageFile) -> int:
    tags = image.tag_v2
    return len(tags.get(TiffImagePlugin.STRIPOFFSETS) or tags.get(TiffImagePlugin.TILEOFFSETS) or ())
