"""Small good files of every kind, each with a few bytes changed at random; the seed says which."""

import io
import random
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
from case import Case, Place

IMAGES = ("png of 8 bits", "png of 16 bits", "png with palette", "png of 16 bits with opacity", "jpeg", "tiff, lzw",
          "tiff of 16 bits", "tiff, jpeg", "bmp", "webp", "gif", "ppm", "tga")  # fmt: skip
MODELS = ("onnx", "onnx, baked")
CHECKPOINTS = ("pth", "safetensors")


def cases(seed: int, images: int, models: int, checkpoints: int) -> Iterator[Case]:
    """As many of each base as the numbers say."""
    for kind, bases, count in (
        ("image", IMAGES, images),
        ("model", MODELS, models),
        ("checkpoint", CHECKPOINTS, checkpoints),
    ):
        for base in bases:
            for number in range(count):
                yield Case(kind, f"mutations of {base}", f"{base} {number}",
                           partial(write_mutation, base=base, seed=f"{seed}/{base}/{number}"))  # fmt: skip


def write_mutation(place: Place, base: str, seed: str) -> Path:
    suffix = base.split(",")[0].split(" ")[0]
    target = place.inputs / f"stranger.{suffix if suffix not in ('gif', 'ppm', 'tga') else 'png'}"
    target.write_bytes(mutate(good(base), random.Random(seed)))
    return target


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Bits flipped, bytes set, pieces cut out, doubled, moved, zeroed or cut off at the end: one to four of these."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(changed))
        if rng.random() < 0.5:
            start = min(start, rng.randrange(256))  # headers decide more than pixels
        end = min(len(changed), start + rng.choice((1, 1, 2, 4, 8, 64)))
        piece = bytes(changed[start:end])
        how = rng.choice(("flip", "set", "set", "extreme", "cut", "double", "zero", "end", "swap"))
        if how == "flip":
            changed[start] ^= 1 << rng.randrange(8)
        elif how == "set":
            changed[start:end] = rng.randbytes(len(piece))
        elif how == "extreme":
            changed[start:end] = bytes([rng.choice((0x7F, 0x80, 0xFF))]) * len(piece)
        elif how == "cut":
            del changed[start:end]
        elif how == "double":
            changed[start:start] = piece * rng.choice((1, 2, 100))
        elif how == "zero":
            changed[start:end] = bytes(len(piece))
        elif how == "end" and start > 8:
            del changed[start:]
        elif how == "swap":
            other = rng.randrange(len(changed))
            changed[start:end] = changed[other : other + len(piece)].ljust(len(piece), b"\0")
    return bytes(changed) or b"\0"


@cache
def good(base: str) -> bytes:
    if base in IMAGES:
        return _good_image(base)
    if base in MODELS:
        from networks import alpha_input, baked

        return (baked() if "baked" in base else alpha_input()).SerializeToString()
    from networks import weights

    return _good_checkpoint(base, weights(5))


def _good_image(base: str) -> bytes:
    from pictures import png, rows
    from PIL import Image

    if base.startswith("png of 16"):
        color = 6 if "opacity" in base else 2
        return png(16, 16, 16, color, rows(16, 16, 16, color))
    noise = np.random.default_rng(3).integers(0, 256, (16, 16, 3), np.uint8)
    image, file = Image.fromarray(noise), io.BytesIO()
    if base == "tiff of 16 bits":
        image = Image.fromarray(noise[:, :, 0].astype(np.uint16) * 257)
    elif base == "png with palette":
        image = image.quantize(16)
    options = {"compression": "tiff_lzw" if base.endswith("lzw") else "jpeg"} if base.startswith("tiff,") else {}
    image.save(file, base.split(",")[0].split(" ")[0], **options)
    return file.getvalue()


def _good_checkpoint(base: str, held: dict[str, np.ndarray]) -> bytes:
    import torch
    from safetensors.numpy import save

    if base == "safetensors":
        return save(held)
    file = io.BytesIO()
    torch.save({name: torch.from_numpy(array) for name, array in held.items()}, file)
    return file.getvalue()
