"""Images (H, W, C) as batches (N, C, H, W) that a network takes, and back."""

from typing import Any

import numpy as np
import numpy.typing as npt

from dni_runtime.errors import InputError, ModelError

IntegerImage = npt.NDArray[Any]
"""uint8 or uint16, over the whole range of the dtype or that of fewer bits."""
Image = npt.NDArray[Any]
"""Likewise, or float32, of which 0 is black and 1 is white; what is beyond counts as black or white."""


def check_image(image: object) -> None:
    """Raise InputError for anything but uint8, uint16 or float32 of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)."""
    if not isinstance(image, np.ndarray):
        raise InputError(f"the image is of type {type(image).__name__}; expected a NumPy array")
    if image.dtype not in (np.uint8, np.uint16, np.float32):
        raise InputError(
            f"the image has dtype {image.dtype}; expected uint8 or uint16 over their whole range, or float32 over 0..1"
        )
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        raise InputError(f"the image has shape {image.shape}; expected (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)")
    if image.size == 0:
        raise InputError(f"the image has shape {image.shape}; expected at least one pixel")


def split_opacity(image: Image) -> tuple[Image, Image | None]:
    """Split an image into its colours (H, W, 1 or 3) and its opacity (H, W, 1), None where it has none.

    Raises InputError as `check_image` does, and for values that are not finite.
    """
    check_image(image)
    if image.dtype == np.float32 and not (np.isfinite(image.min()) and np.isfinite(image.max())):
        raise InputError("the image holds NaN or infinite values; expected finite numbers, 0 black and 1 white")
    if image.ndim == 2:
        return image[:, :, None], None
    if image.shape[2] == 4:
        return image[:, :, :3], image[:, :, 3:]
    return image, None


def to_batch(colors: Image, channels: int) -> Image:
    """An image (H, W, 1 or 3) as a batch (N, `channels`, H, W) of the same dtype; a view, nothing is copied.

    Grey is given to every channel of a network that has three; RGB becomes three grey images for a network
    that has one.
    """
    planes = colors.transpose(2, 0, 1)
    if channels == 1:
        return planes[:, None]
    return np.broadcast_to(planes, (3, *planes.shape[1:]))[None]


def from_batch(batch: npt.NDArray[Any], colors: int, channels: int) -> npt.NDArray[Any]:
    """Undo `to_batch` on a network's output (N, C', H, W): an image (H, W, 1 or 3), still of float dtype.

    `colors`, `channels`: of the image and the network that went in. A grey image that went to three channels
    comes back as their mean. Raises InputError where the network's output is no image.
    """
    if batch.shape[1] not in (1, 3) or (len(batch) > 1 and batch.shape[1] != 1):
        raise InputError(
            f"the network turns {channels} channels into {batch.shape[1]}, no grey or RGB image; use model(x)"
        )
    if len(batch) > 1:
        planes = batch[:, 0]
    elif colors == 1 and channels == 3:
        planes = batch[0].mean(axis=0, keepdims=True)
    else:
        planes = batch[0]
    return planes.transpose(1, 2, 0)


def white_of(image: Image, bits: int | None = None) -> float:
    """The value that is white in an image: 1 of floats, the largest of `bits`, or of the dtype, of integers.

    Raises InputError for bits that the dtype does not have, and for values that `bits` do not reach.
    """
    if bits is None:
        return white(image.dtype)
    if image.dtype == np.float32:
        raise InputError(f"bits is {bits}, but the image is float32, over 0..1; expected uint8 or uint16, or no bits")
    most = 8 * image.dtype.itemsize
    if bits not in range(1, most + 1):
        raise InputError(f"bits is {bits!r}; expected 1 to {most} for an image of dtype {image.dtype}")
    largest = 2**bits - 1
    if bits < most and (found := int(image.max())) > largest:
        raise InputError(
            f"the image holds the value {found}; expected 0 to {largest}, which is white at bits={bits}. Give as many "
            f"bits as the image has ({found.bit_length()} or more), or shift its values"
        )
    return float(largest)


def white(dtype: npt.DTypeLike) -> float:
    """The largest value of an image of `dtype`: of integers the largest there is, of floats that which is white."""
    kind = np.dtype(dtype)
    return 1.0 if kind == np.float32 else float(np.iinfo(kind).max)


def clamped(pixels: Image) -> Image:
    """Floats within 0..1, always a copy; integers as they are."""
    return np.clip(pixels, 0, 1) if pixels.dtype == np.float32 else pixels


def to_float(batch: Image, value_range: tuple[float, float], largest: float | None = None) -> npt.NDArray[np.float32]:
    """An image's values as contiguous float32 over `value_range`, floats clamped to it; always a copy.

    largest: which value of integers is white, see `white_of`; None for that of the dtype.
    """
    low, high = value_range
    if batch.dtype == np.float32:
        values = np.clip(batch, 0, 1, out=np.empty(batch.shape, np.float32))
        if high - low != 1:
            values *= np.float32(high - low)
    else:
        values = np.array(batch, np.float32, order="C")
        values /= np.float32((largest or white(batch.dtype)) / (high - low))
    if low:
        values += np.float32(low)
    return values


def write_pixels(
    values: npt.NDArray[np.float32], out: Image, value_range: tuple[float, float], largest: float | None = None
) -> None:
    """Undo `to_float` for an image (H, W, C), and write it into `out`.

    All is clipped, and integers are rounded to the nearest. `out`: (H, W, C), or (H, W, 3) for C = 1. Overwrites
    `values`, so that nothing is allocated.

    Raises ModelError if a value is NaN, which no integer can say.
    """
    low, high = value_range
    if np.isnan(values.min()):
        raise ModelError("the network's output holds NaN; check the model's weights and the range of its input")
    if low:
        values -= np.float32(low)
    if out.dtype == np.float32:
        if high - low != 1:
            values /= np.float32(high - low)
        np.clip(values, 0, 1, out=values)
    else:
        largest = largest or white(out.dtype)
        with np.errstate(over="ignore"):  # what is beyond float32 is clipped as well
            values *= np.float32(largest / (high - low))
        np.rint(values, out=values)
        np.clip(values, 0, largest, out=values)
    copy_pixels(values, out)


def copy_pixels(values: npt.NDArray[Any], out: Image) -> None:
    """Copy an image (H, W, C) into `out`, (H, W, C), or (H, W, 3) for C = 1; whole numbers if `out` is of integers."""
    if values.strides[1:] == out.strides[1:]:
        np.copyto(out, values)  # whole rows at once: 1 ms for 2048 x 2048 x 3 bytes
        return
    # Channel by channel: the planes of a network's output are interleaved three times as fast as pixel by pixel
    # (6 against 15 ms for 2048 x 2048 x 3), and colours put beside an opacity six times.
    for channel in range(out.shape[2]):
        np.copyto(out[:, :, channel], values[:, :, channel % values.shape[2]], casting="unsafe")
