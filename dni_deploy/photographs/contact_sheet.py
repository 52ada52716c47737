"""A contact sheet: the same picture at several alphas side by side, each with its label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from dni_runtime import InputError
from dni_runtime.files.printable import printable

_PAPER = (255, 255, 255)
_INK = (32, 33, 36)
_MARGIN_PX = 24
_GAP_PX = 12
_LABEL_PX = 20
_TITLE_PX = 30
_SMALLEST_CELL_PX = 200
_SMALLEST_TEXT_PX = 8
_COLUMNS = 5
_MAX_WIDTH_PX = 2400
_MAX_PIXELS = 89_000_000  # of what `read_image` reads back


def contact_sheet(
    images: Sequence[npt.NDArray[Any]],
    labels: Sequence[str],
    *,
    title: str = "",
    columns: int | None = None,
    max_width_px: int = _MAX_WIDTH_PX,
) -> npt.NDArray[np.uint8]:
    """Lay `images` out in a grid of equal cells, row by row, each over its label.

    images:       uint8, uint16 or float32 (0..1), (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), of any sizes; opacity is
                  shown on white.
    labels:       one for each image, of which one line is drawn, control characters escaped.
    title:        a line above the grid; none where it is empty.
    columns:      1 or more; None for up to 5, with rows as equal as possible.
    max_width_px: images are made smaller where the sheet would be wider, or a cell higher; small ones are made larger
                  by whole factors.

    Returns RGB uint8 (H, W, 3).

    Raises InputError if there is no image, labels and images differ in number, or the sheet would be enormous.
    """
    if not images or len(images) != len(labels):
        raise InputError(f"got {len(images)} images and {len(labels)} labels; expected one label an image")
    if columns is None:
        columns = balanced_columns(len(images))
    if columns < 1:
        raise InputError(f"columns is {columns}; expected 1 or more")
    columns = min(columns, len(images))
    widest = cell_width(columns, max_width_px)
    pictures = [_shrink(to_picture(image), widest, max_width_px) for image in images]
    natural = max(picture.width for picture in pictures)
    cell = min(widest, natural * -(-_SMALLEST_CELL_PX // natural))
    factors = [min(cell // picture.width, max_width_px // picture.height) for picture in pictures]
    cell_height = max(picture.height * factor for picture, factor in zip(pictures, factors, strict=True))

    rows = -(-len(pictures) // columns)
    row_height = cell_height + _GAP_PX // 2 + _LABEL_PX + _GAP_PX * 3 // 2
    top = _MARGIN_PX + (_TITLE_PX + _GAP_PX * 2 if title else 0)
    width = 2 * _MARGIN_PX + columns * cell + (columns - 1) * _GAP_PX
    height = top + rows * row_height - _GAP_PX * 3 // 2 + _MARGIN_PX
    if width * height > _MAX_PIXELS:
        raise InputError(f"a sheet of {len(images)} images would have {width}x{height} pixels; give fewer images")
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    if title:
        _write(draw, title, (width / 2, _MARGIN_PX), _TITLE_PX, width - 2 * _MARGIN_PX)
    for index, (small, factor, label) in enumerate(zip(pictures, factors, labels, strict=True)):
        # Nearest, because smoothing would hide the very differences that the sheet is there to show.
        picture = small.resize((small.width * factor, small.height * factor), Image.Resampling.NEAREST)
        left = _MARGIN_PX + index % columns * (cell + _GAP_PX)
        upper = top + index // columns * row_height
        sheet.paste(picture, (left + (cell - picture.width) // 2, upper + (cell_height - picture.height) // 2))
        below = upper + cell_height + _GAP_PX // 2
        _write(draw, label, (left + cell / 2, below), _LABEL_PX, cell)
    return np.array(sheet)


def for_sheet(image: npt.NDArray[Any], columns: int, max_width_px: int = _MAX_WIDTH_PX) -> npt.NDArray[np.uint8]:
    """An image as `contact_sheet` shows it with so many columns; much smaller than a photograph is."""
    return np.array(_shrink(to_picture(image), cell_width(columns, max_width_px), max_width_px))


def balanced_columns(count: int) -> int:
    """How many columns make rows of so many images as equal as possible."""
    return -(-count // -(-count // _COLUMNS))


def cell_width(columns: int, max_width_px: int = _MAX_WIDTH_PX) -> int:
    """How wide a column can be. Raises InputError where there is no room."""
    widest = (max_width_px - 2 * _MARGIN_PX - (columns - 1) * _GAP_PX) // columns
    if widest < 1:
        raise InputError(f"{columns} columns do not fit in {max_width_px} pixels; take fewer columns")
    return widest


def _write(draw: ImageDraw.ImageDraw, text: str, top: tuple[float, float], size: int, width: int) -> None:
    """Write `text` centred below the point `top`, smaller or shorter where it would be wider than `width`."""
    text = printable(text)
    font = ImageFont.load_default(size)
    if (length := draw.textlength(text, font)) > width:
        font = ImageFont.load_default(max(_SMALLEST_TEXT_PX, int(size * width / length)))
    shown = text
    while len(text) > 1 and draw.textlength(shown, font) > width:
        text = text[: len(text) * 3 // 4]
        shown = f"{text}..."
    draw.text(top, shown, _INK, font, anchor="ma")


def to_picture(image: npt.NDArray[Any]) -> Image.Image:
    """An image as `contact_sheet` takes it, as RGB of 8 bits on white. Raises InputError for others."""
    if image.dtype == np.uint16:
        image = ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif image.dtype == np.float32:
        image = np.rint(np.nan_to_num(image).clip(0, 1) * 255).astype(np.uint8)
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise InputError(
            f"an image is {image.dtype} of shape {image.shape}; expected uint8, uint16 or float32 (H, W, C)"
        )
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    picture = Image.fromarray(np.ascontiguousarray(image))
    if picture.mode == "RGBA":
        return Image.alpha_composite(Image.new("RGBA", picture.size, (*_PAPER, 255)), picture).convert("RGB")
    return picture.convert("RGB")


def _shrink(picture: Image.Image, width: int, height: int) -> Image.Image:
    factor = min(width / picture.width, height / picture.height)
    if factor >= 1:
        return picture
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.LANCZOS)
