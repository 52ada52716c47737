"""Find out where the weights went, and for which sizes of images the graph holds."""

import itertools
import math
from bisect import bisect_right

import numpy as np
import numpy.typing as npt

from dni_runtime.ncnn.form import Form, Part
from dni_runtime.ncnn.layers import FormError, blobs, read_layers, words
from dni_runtime.sizes import Sizes
from dni_runtime.weights.split import Split

from .convert import Numbered, convert, made_with, numbered

_LARGEST_MULTIPLE = 64
_PIXELS = 64
_MOST_STEPS = 8


def learn_form(halves: Split, channels: int, sizes: Sizes) -> Form:
    """The form for ncnn of a network that takes images of `channels` channels. Raises FormError where it has none."""
    weights = numbered(halves)
    multiple = sizes.multiple
    while True:
        first, second = _two_sizes(sizes, multiple)
        param, stored = convert(halves, weights, (1, channels, *first))
        other, others = convert(halves, weights, (1, channels, *second))
        if param == other and np.array_equal(stored.view(np.uint32), others.view(np.uint32)):
            break
        multiple *= 2
        if multiple > _LARGEST_MULTIPLE:
            raise FormError("pnnx makes another graph for each size of image, so that none holds for all")
    parts = _find(param, stored, weights)
    if lost := set(halves.weights) - {part.weight for part in parts}:
        raise FormError(f"ncnn's graph has no place for {min(lost)}")
    return Form(param, parts, multiple, made_with())


def _two_sizes(sizes: Sizes, multiple: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """That have little in common but the multiple."""
    least = Sizes(math.lcm(sizes.multiple, multiple), sizes.minimum).side(_PIXELS)
    first, second = (least, least + multiple), (least + 5 * multiple, least + 2 * multiple)
    return ((first[0],) * 2, (second[0],) * 2) if sizes.square else (first, second)


def _find(param: str, stored: npt.NDArray[np.float32], weights: Numbered) -> tuple[Part, ...]:
    layers = read_layers(param)
    wanted = blobs(layers)
    if words(wanted) != len(stored):
        raise FormError(f"pnnx wrote {len(stored)} numbers of weights, its graph takes {words(wanted)}")
    names, starts = list(weights.starts), list(weights.starts.values())
    parts, end = [], 0
    for blob in wanted:
        if blob.flagged and stored[end : end + 1].view(np.uint32)[0] != 0:
            raise FormError(f"pnnx stored the weights of layer {blob.layer} as something else than float32")
        start = end + blob.flagged
        end = start + blob.count
        found = weights.numbers(stored[start:end])
        if found.min() < 0 or found.max() >= weights.total:
            raise FormError(f"pnnx changed the weights of layer {blob.layer}")
        owner = bisect_right(starts, int(found[0])) - 1
        index = found - starts[owner]
        steps = _steps(index)
        part = Part(names[owner], int(index[0]), steps)
        size = math.prod(weights.shapes[part.weight])
        if (
            len(steps) > _MOST_STEPS
            or index.min() < 0
            or index.max() >= size
            or not np.array_equal(part.index(), index)
        ):
            raise FormError(f"pnnx mixed the weights of layer {blob.layer} with others")
        parts.append(part)
    return tuple(parts)


def _steps(index: npt.NDArray[np.int64]) -> tuple[tuple[int, int], ...]:
    """(count, stride) pairs, outermost first, of a walk through elements; a guess where they are in no such order."""
    steps: list[tuple[int, int]] = []
    while len(index) > 1:
        distance = np.diff(index)
        run = 1 + next((n for n, d in enumerate(distance) if d != distance[0]), len(distance))
        if len(index) % run:
            run = math.gcd(len(index), run)
        if run == 1:
            break
        steps.append((run, int(distance[0])))
        index = index[::run]
    return tuple(itertools.chain(reversed(steps))) or ((1, 0),)
