"""The fitted pairs for the eye: a row for each, of the photograph that had the worst tint before."""

from pathlib import Path

import numpy as np
from fit_measure import STRIP, Picture, Record
from PIL import Image, ImageDraw

CAPTION_PX = 22
JPEG_QUALITY = 85


def write_strip(path: Path, pictures: list[Picture]) -> None:
    """The pictures of a pair side by side."""
    levels = (np.concatenate(pictures, axis=1) * 255).round().astype(np.uint8)
    Image.fromarray(levels).save(path)


def write_sheet(records: list[Record], strips: dict[str, Path], path: Path) -> None:
    """A row for each record."""
    rows = []
    for record in records:
        with Image.open(strips[record["pair"]]) as image:
            rows.append((record, image.convert("RGB")))
    width, height = rows[0][1].size
    sheet = Image.new("RGB", (width, CAPTION_PX + len(rows) * (height + CAPTION_PX)), "white")
    text = ImageDraw.Draw(sheet)
    for column, title in enumerate(STRIP):
        text.text((column * width // len(STRIP) + 4, 4), title, "black", font_size=13)
    for number, (record, strip) in enumerate(rows):
        top = CAPTION_PX + number * (height + CAPTION_PX)
        text.text((4, top + 3), f"{record['pair']}, {record['shown']}", "black", font_size=14)
        sheet.paste(strip, (0, top + CAPTION_PX))
    sheet.save(path, quality=JPEG_QUALITY, optimize=True)
