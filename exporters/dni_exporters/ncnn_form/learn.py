"""Find out where the weights went, and for which sizes of images a graph holds."""

import itertools
import math
from bisect import bisect_right

import numpy as np
import numpy.typing as npt
import onnx

from dni_runtime.ncnn.form import LIMIT_GRAPHS, Form, Part, Remainders
from dni_runtime.ncnn.layers import FormError, blobs, read_layers, words
from dni_runtime.ncnn.shapes import result_shape
from dni_runtime.ncnn.weights import halves_of
from dni_runtime.sizes import Sizes

from .convert import Converted, Numbered, convert, made_with, numbered

_PIXELS = 64
# Where the network itself asks for no larger one.
_LARGEST_PERIOD = 64
_MOST_STEPS = 8


def learn_form(model: onnx.ModelProto, sizes: Sizes, *, remainders: bool = True) -> Form:
    """The form for ncnn of a model. Raises FormError or CannotPrepareError where it has none.

    remainders: also have graphs for images that are no multiples of the form's period.
    """
    halves, channels = halves_of(model), channels_of(model)
    weights = numbered(halves)

    def graph(period: int, remainders: Remainders) -> Converted | None:
        """What holds for all images that leave these remainders, as far as two of them tell."""
        here, there = two_sizes(sizes, period, remainders)
        first = convert(halves, weights, (1, channels, *here))
        layers = read_layers(first.param)  # what is not known is refused before the second is converted
        if not first.is_like(convert(halves, weights, (1, channels, *there))):
            return None
        for size in (here, there):
            result_shape(layers, (channels, *size))
        return first

    period = sizes.multiple
    while (found := graph(period, (0, 0))) is None:
        period *= 2
        if period > _LARGEST_PERIOD:
            raise FormError("pnnx makes another graph for each size of image, so that none holds for all")
    parts = _find(found, weights)
    if lost := set(halves.weights) - {part.weight for part in parts}:
        raise FormError(f"ncnn's graph has no place for {min(lost)}")
    graphs = {(0, 0): found.param}
    for left in _others(sizes, period) if remainders else []:
        if (other := graph(period, left)) is not None and other.has_weights_of(found):
            graphs[left] = other.param
    return Form(period, graphs, parts, made_with())


def channels_of(model: onnx.ModelProto) -> int:
    """How many channels the model's image has."""
    image = next(value for value in model.graph.input if value.name != "alpha")
    channels: int = image.type.tensor_type.shape.dim[1].dim_value
    return channels


def two_sizes(sizes: Sizes, period: int, remainders: Remainders) -> tuple[tuple[int, int], tuple[int, int]]:
    """Heights and widths that leave these remainders, and have little else in common."""
    least = Sizes(period, sizes.minimum).side(_PIXELS)
    down, right = remainders
    first, second = (least + down, least + period + right), (least + 5 * period + down, least + 2 * period + right)
    return ((first[0],) * 2, (second[0],) * 2) if sizes.square else (first, second)


def _others(sizes: Sizes, period: int) -> list[Remainders]:
    """All other remainders that the network takes; none where they are too many: then its form is for multiples."""
    each = range(0, period, sizes.multiple)
    pairs = [(n, n) for n in each] if sizes.square else [*itertools.product(each, each)]
    return pairs[1:] if len(pairs) <= LIMIT_GRAPHS else []


def _find(found: Converted, weights: Numbered) -> tuple[Part, ...]:
    """Which of the `weights` each part of the .bin file is."""
    wanted, stored = blobs(read_layers(found.param)), found.stored
    if words(wanted) != len(stored):
        raise FormError(f"pnnx wrote {len(stored)} numbers of weights, its graph takes {words(wanted)}")
    names, starts = list(weights.starts), list(weights.starts.values())
    parts, end = [], 0
    for blob in wanted:
        if blob.flagged and stored[end : end + 1].view(np.uint32)[0] != 0:
            raise FormError(f"pnnx stored the weights of layer {blob.layer} as something else than float32")
        start = end + blob.flagged
        end = start + blob.count
        numbers = weights.numbers(stored[start:end])
        if not len(numbers) or numbers.min() < 0 or numbers.max() >= weights.total:
            raise FormError(f"pnnx changed the weights of layer {blob.layer}")
        owner = bisect_right(starts, int(numbers[0])) - 1
        index = numbers - starts[owner]
        part = Part(names[owner], int(index[0]), _steps(index))
        size = math.prod(weights.shapes[part.weight])
        inside = index.min() >= 0 and index.max() < size and all(stride >= 0 for _, stride in part.steps)
        if not inside or len(part.steps) > _MOST_STEPS or not np.array_equal(part.index(), index):
            raise FormError(f"pnnx mixed the weights of layer {blob.layer} with others")
        parts.append(part)
    return tuple(parts)


def _steps(index: npt.NDArray[np.int64]) -> tuple[tuple[int, int], ...]:
    """(count, stride) pairs, outermost first, of a walk through elements; a guess where they are in no such order."""
    steps: list[tuple[int, int]] = []
    while len(index) > 1:
        distance = np.diff(index)
        others = np.flatnonzero(distance != distance[0])
        run = math.gcd(len(index), int(others[0]) + 1) if len(others) else len(index)
        if run == 1:
            break
        steps.append((run, int(distance[0])))
        index = index[::run]
    return tuple(reversed(steps)) or ((1, 0),)
