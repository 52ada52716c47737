"""What is done to photographs before a network sees them: what it was made to take away."""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from dni_runtime import InputError

Pixels = NDArray[np.uint8]

_TEXT = re.compile(r"(?P<kind>[a-z]+):(?P<low>\d+(\.\d+)?):(?P<high>\d+(\.\d+)?)")
_SHARE = 0.5


def _blur(pixels: Pixels, sigma_px: float, rng: np.random.Generator) -> Pixels:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma_px)))


def _noise(pixels: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    """sigma: of 255."""
    return (pixels + sigma * rng.standard_normal(pixels.shape)).round().clip(0, 255).astype(np.uint8)


def _jpeg(pixels: Pixels, quality: float, rng: np.random.Generator) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=round(quality), subsampling=int(rng.choice((0, 2))))
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


_Apply = Callable[[Pixels, float, np.random.Generator], Pixels]
# In the order in which a camera does it: its lens, its sensor, its file.
_KINDS: dict[str, tuple[_Apply, float, float]] = {
    "blur": (_blur, 0, 10),
    "noise": (_noise, 0, 255),
    "jpeg": (_jpeg, 1, 100),
}


@dataclass(frozen=True, slots=True)
class Degradation:
    """kind: "blur" (sigma in pixels), "noise" (sigma of 255) or "jpeg" (quality); the strength is within low..high."""

    kind: str
    low: float
    high: float


def parse_degradations(texts: Sequence[str]) -> tuple[Degradation, ...]:
    """Those that `texts` name, `noise:5:50` and the like, in the order in which they are done; none for "none".

    Raises InputError for any other text.
    """
    found = {}
    for text in () if list(texts) == ["none"] else texts:
        match = _TEXT.fullmatch(text)
        kind, low, high = (match["kind"], float(match["low"]), float(match["high"])) if match else ("", 0.0, 0.0)
        _, least, most = _KINDS.get(kind, (None, 1.0, 0.0))
        if not least <= low <= high <= most or kind in found:
            ranges = ", ".join(f"{name}:LO:HI within {least}..{most}" for name, (_, least, most) in _KINDS.items())
            raise InputError(f"{text!r} is no degradation; expected {ranges}, each once, or none alone")
        found[kind] = Degradation(kind, low, high)
    return tuple(found[kind] for kind in _KINDS if kind in found)


def degrade(
    pixels: Pixels, degradations: Sequence[Degradation], rng: np.random.Generator, share: float = _SHARE
) -> Pixels:
    """RGB (H, W, 3) with each of `degradations` in a `share` of all cases, at a strength drawn evenly from its range.

    So of many some stay clean, and some have everything.
    """
    for each in degradations:
        chosen, strength = rng.random() < share, rng.uniform(each.low, each.high)
        if chosen:
            pixels = _KINDS[each.kind][0](pixels, strength, rng)
    return pixels


def as_json(degradations: Sequence[Degradation]) -> list[Any]:
    """For a file that says how it was made."""
    return [[each.kind, each.low, each.high] for each in degradations]
