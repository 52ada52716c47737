"""Images (H, W, C) as batches (N, C, H, W) that a network takes, and back."""

from typing import Any

import numpy as np
import numpy.typing as npt

from dni_runtime.errors import InputError, ModelError

IntegerImage = npt.NDArray[Any]
"""uint8 or uint16, over the whole range of the dtype."""
Image = npt.NDArray[Any]
"""Likewise, or float32, of which 0 is black and 1 is white."""


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
    that has one. Raises InputError for networks of other channel counts.
    """
    if channels not in (1, 3):
        raise InputError(f"the network takes {channels} channels, no grey or RGB image; use model(x)")
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


def white(dtype: npt.DTypeLike) -> float:
    """The largest value of an image of `dtype`: of integers the largest there is, of floats that which is white."""
    kind = np.dtype(dtype)
    return 1.0 if kind == np.float32 else float(np.iinfo(kind).max)


def to_float(batch: Image, value_range: tuple[float, float]) -> npt.NDArray[np.float32]:
    """An image's values as contiguous float32 over `value_range`; always a copy."""
    low, high = value_range
    values = np.array(batch, np.float32, order="C")
    values /= np.float32(white(batch.dtype) / (high - low))
    if low:
        values += np.float32(low)
    return values


def write_pixels(values: npt.NDArray[np.float32], out: Image, value_range: tuple[float, float]) -> None:
    """Undo `to_float` for an image (H, W, C), and write it into `out`.

    Integers are rounded to the nearest and clipped; floats stay as they are, beyond 0..1 too. `out`: (H, W, C), or
    (H, W, 3) for C = 1. Overwrites `values`, so that nothing is allocated.

    Raises ModelError if a value is NaN, which no integer can say.
    """
    low, high = value_range
    if np.isnan(values.min()):
        raise ModelError("the network's output holds NaN; check the model's weights and the range of its input")
    largest = white(out.dtype)
    if low:
        values -= np.float32(low)
    with np.errstate(over="ignore"):  # what is beyond float32 is clipped as well
        values *= np.float32(largest / (high - low))
    if out.dtype != np.float32:
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
