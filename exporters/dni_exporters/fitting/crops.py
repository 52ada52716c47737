"""Pieces of photographs, to learn from and to judge by; the two have no pixel in common."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dni_exporters.verdict.degrade import Degradation, degrade
from dni_exporters.verdict.photographs import Photograph, network_input
from dni_runtime import InputError

SMALLEST_PX = 64
# Of photographs that are enough, every fourth is for judging; of fewer a part of each.
_ENOUGH = 4
# Of a JPEG's blocks: a crop begins anywhere in one.
_BLOCK_PX = 8
_MOST_SHRUNK = 4
_MIXED = 0.5
_LIT = 0.5
_GAMMAS = (0.5, 2.5)


def check_sizes(photographs: Sequence[Photograph]) -> None:
    """Raise InputError for a photograph of which no part could be learnt from."""
    for photograph in photographs:
        height, width = photograph.pixels.shape[:2]
        if min(height, width) < SMALLEST_PX:
            raise InputError(
                f"{photograph.name} has {width}x{height} pixels; expected photographs of {SMALLEST_PX}x{SMALLEST_PX} "
                "or more: take it out of the folder"
            )


def divide(photographs: Sequence[Photograph]) -> tuple[list[Photograph], list[Photograph]]:
    """What to learn from, and what to judge by."""
    if len(photographs) >= _ENOUGH:
        held_out = range(_ENOUGH // 2, len(photographs), _ENOUGH)
        learn = [photograph for number, photograph in enumerate(photographs) if number not in held_out]
        return learn, [photographs[number] for number in held_out]
    halves = [_cut(photograph) for photograph in photographs]
    return [learn for learn, _ in halves], [judge for _, judge in halves]


def _cut(photograph: Photograph) -> tuple[Photograph, Photograph]:
    """Two thirds and a third, along the longer side."""
    axis = int(photograph.pixels.shape[1] >= photograph.pixels.shape[0])
    learn, judge = np.split(photograph.pixels, [photograph.pixels.shape[axis] * 2 // 3], axis=axis)
    return Photograph(photograph.name, learn), Photograph(photograph.name, judge)


def held_out(
    photographs: Sequence[Photograph],
    count: int,
    side: int,
    channels: int,
    degradations: Sequence[Degradation],
    seed: int,
) -> list[tuple[str, NDArray[np.float32]]]:
    """Name and image (1, C, side, side) of what is judged by: the most colourful parts, every second one degraded.

    First they show all of a photograph's height or width, then half of it, then a third.
    """
    found = []
    for number in range(count):
        photograph, part = photographs[number % len(photographs)], number // len(photographs)
        height, width = photograph.pixels.shape[:2]
        small = _shrunk(photograph.pixels, max(1.0, min(height, width) / side / (part + 1)))
        pixels = (Photograph("", small).window(side, side, part) * 255).round().astype(np.uint8)
        if number % 2:
            pixels = degrade(pixels, degradations, np.random.default_rng((seed, 1, number)), share=1)
        found.append((f"{photograph.name} ({part + 1})" if part else photograph.name, _input(pixels, channels)))
    return found


def batch(
    photographs: Sequence[Photograph],
    number: int,
    count: int,
    side: int,
    channels: int,
    degradations: Sequence[Degradation],
    seed: int,
) -> NDArray[np.float32]:
    """The images (count, C, side, side) of batch `number`, the same ones whenever they are asked for."""
    rng = np.random.default_rng((seed, 0, number))
    return np.concatenate([_input(_crop(photographs, side, degradations, rng), channels) for _ in range(count)])


def _crop(
    photographs: Sequence[Photograph], side: int, degradations: Sequence[Degradation], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """(side, side, 3) from anywhere, shrunk, in other colours, turned and mirrored, then degraded.

    Shrunk, a crop shows more than one smooth surface; few photographs have all colours. Both are worth 3 dB
    (benchmarks/real_pairs). Photographs that are smaller are mirrored at their borders.
    """
    pixels = photographs[int(rng.integers(len(photographs)))].pixels
    around = side + _BLOCK_PX - 1
    factor = max(1.0, min(rng.uniform(1, _MOST_SHRUNK), min(pixels.shape[:2]) / around))
    piece = _shrunk(_window(pixels, int(around * factor), rng), factor)[:around, :around]
    piece = np.rot90(_recoloured(piece, rng), int(rng.integers(4)))
    piece = degrade(np.ascontiguousarray(piece[:, :: rng.choice((1, -1))]), degradations, rng)
    return _window(piece, side, rng)


def _window(pixels: NDArray[np.uint8], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(side, side, 3) from anywhere."""
    missing = [max(0, side - own) for own in pixels.shape[:2]]
    if any(missing):
        pixels = np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), "symmetric")
    top, left = (int(rng.integers(own - side + 1)) for own in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


def _shrunk(pixels: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    if factor == 1:
        return pixels
    height, width = (max(1, round(side / factor)) for side in pixels.shape[:2])
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))


def _recoloured(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Half of the crops mixed with themselves in other channels, half of them lighter or darker."""
    mixed, share, gamma = rng.random() < _MIXED, rng.random(), rng.uniform(*_GAMMAS) if rng.random() < _LIT else 1.0
    channels = rng.permutation(3)
    colours = pixels.astype(np.float32) / np.float32(255)
    if mixed:
        colours = colours * np.float32(1 - share) + colours[..., channels] * np.float32(share)
    return (colours ** np.float32(gamma) * 255).round().astype(np.uint8)


def _input(pixels: NDArray[np.uint8], channels: int) -> NDArray[np.float32]:
    return np.asarray(network_input(pixels.astype(np.float32) / np.float32(255), channels))
