"""The shape of every value of a graph, for images of one size: what does not fit together is refused here.

ncnn's layers do not look whether their weights are as many as the channels that they are given, or whether a list has
the numbers that they read. What they are and which parameters they have: https://github.com/Tencent/ncnn/wiki/operators
"""

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from .layers import Layer

Shape: TypeAlias = tuple[int, ...]
"""(channels, height, width), or (numbers,) of one list."""
_Rule: TypeAlias = Callable[[Layer, tuple[Shape, ...]], Shape]

_LIMIT_ELEMENTS = 2**31 - 1
# ncnn's mark for a number that is to be found out.
_REST = -233
# How many numbers an activation reads, by its type.
_ACTIVATIONS = {0: 0, 1: 0, 2: 1, 3: 2, 4: 0, 5: 0, 6: 2}
_REFLECT = 2
_LAST_BINARY, _LAST_UNARY, _LAST_REDUCTION, _LAST_ELTWISE = 11, 24, 10, 2
_AXES = 3
_LARGEST_FACTOR = 64


def result_shape(layers: tuple[Layer, ...], image: tuple[int, int, int]) -> Shape:
    """The result's for an image (channels, height, width). Raises FormError where a layer cannot take what it gets."""
    shapes: dict[str, Shape] = {}
    last: Shape = image
    for layer in layers:
        given = tuple(shapes.pop(name) for name in layer.inputs)
        made = (image,) if layer.kind == "Input" else _shapes(layer, given)
        if len(made) != len(layer.outputs):
            layer.refuse(f"{len(layer.outputs)} outputs, expected {len(made)}")
        for name, shape in zip(layer.outputs, made, strict=True):
            if min(shape) < 1 or math.prod(shape) > _LIMIT_ELEMENTS:
                layer.refuse(f"a result of shape {shape} for {', '.join(map(str, given))}")
            shapes[name] = last = shape
    return last


def _shapes(layer: Layer, given: tuple[Shape, ...]) -> tuple[Shape, ...]:
    if layer.kind == "Split":
        layer.only(set())
        return given * len(layer.outputs)
    if layer.kind == "Slice":
        return _slices(layer, *given)
    return (_RULES[layer.kind](layer, given),)


def _same(keys: set[int]) -> _Rule:
    def rule(layer: Layer, given: tuple[Shape, ...]) -> Shape:
        layer.only(keys)
        return given[0]

    return rule


def _image(layer: Layer, given: tuple[Shape, ...]) -> tuple[int, int, int]:
    """The shape of what has to be an image."""
    (shape,) = given
    if len(shape) != _AXES:
        layer.refuse(f"an input of shape {shape}, expected an image")
    channels, height, width = shape
    return channels, height, width


def _activation(layer: Layer) -> None:
    kind = layer.whole(9)
    if _ACTIVATIONS.get(kind) != len(layer.arrays.get(10, ())):
        layer.refuse(f"the activation {kind} with {len(layer.arrays.get(10, ()))} numbers")


def _weights(layer: Layer, channels: int, groups: int) -> None:
    outputs, area = layer.count(0), layer.count(1) * layer.count(11, layer.count(1))
    fits = groups > 0 and channels % groups == 0 and outputs % groups == 0
    if not fits or layer.count(6) != outputs * channels // groups * area or layer.whole(5) not in (0, 1):
        layer.refuse(f"{layer.count(6)} weights for {channels} channels, {outputs} results and {area} places")
    _activation(layer)


def _pads(layer: Layer, left: int, top: int, right: int, bottom: int) -> tuple[int, int]:
    """Of height and width together; a pad that is not given is that before it."""
    pad_left = layer.count(left)
    pad_top = layer.count(top, pad_left)
    return pad_top + layer.count(bottom, pad_top), pad_left + layer.count(right, pad_left)


def _steps(layer: Layer, key: int, other: int) -> tuple[int, int]:
    """Of height and width, 1 or more."""
    wide = layer.count(key, 1)
    tall = layer.count(other, wide)
    return (tall, wide) if tall and wide else layer.refuse(f"{key}={wide} and {other}={tall}, expected 1 or more")


def _convolution(layer: Layer, given: tuple[Shape, ...]) -> Shape:
    layer.only({*range(8), *range(9, 17)} | ({18} if not layer.numbers.get(18) else set()))
    groups = layer.count(7, 1)
    if layer.kind == "Convolution" and groups != 1:
        layer.refuse(f"7={groups}, expected 1")
    kernel, pads = _steps(layer, 1, 11), _pads(layer, 4, 14, 15, 16)
    if len(given[0]) == 1 and kernel == (1, 1) and pads == (0, 0) and _steps(layer, 3, 13) == (1, 1):
        _weights(layer, given[0][0], groups)
        return (layer.count(0),)
    channels, *sizes = _image(layer, given)
    _weights(layer, channels, groups)
    steps = zip(sizes, pads, kernel, _steps(layer, 2, 12), _steps(layer, 3, 13), strict=True)
    return layer.count(0), *((s + pad - dilation * (k - 1) - 1) // stride + 1 for s, pad, k, dilation, stride in steps)


def _deconvolution(layer: Layer, given: tuple[Shape, ...]) -> Shape:
    layer.only({*range(7), 7, *range(9, 17), 18, 19})
    groups = layer.count(7, 1)
    if layer.kind == "Deconvolution" and groups != 1:
        layer.refuse(f"7={groups}, expected 1")
    channels, *sizes = _image(layer, given)
    _weights(layer, channels, groups)
    more = (layer.count(19, layer.count(18)), layer.count(18))
    steps = zip(
        sizes,
        _pads(layer, 4, 14, 15, 16),
        _steps(layer, 1, 11),
        _steps(layer, 2, 12),
        _steps(layer, 3, 13),
        strict=True,
    )
    found = [(s - 1) * stride + dilation * (k - 1) + 1 - pad for s, pad, k, dilation, stride in steps]
    return layer.count(0), found[0] + more[0], found[1] + more[1]


def _padding(layer: Layer, given: tuple[Shape, ...]) -> Shape:
    layer.only({0, 1, 2, 3, 4, 5, 6, 7, 8})
    channels, height, width = _image(layer, given)
    top, bottom, left, right = (layer.count(key) for key in range(4))
    if layer.count(4) > _REFLECT or any(layer.count(key) for key in (6, 7, 8)):
        layer.refuse("a way of padding that is not known here")
    if layer.count(4) == _REFLECT and (max(top, bottom) >= height or max(left, right) >= width):
        layer.refuse(f"a reflection of more pixels than there are, {height}x{width}")
    return channels, height + top + bottom, width + left + right


def _crop(layer: Layer, given: tuple[Shape, ...]) -> Shape:
    layer.only({9, 10, 11})
    sizes = list(_image(layer, given))
    starts, ends, axes = (layer.arrays.get(key, ()) for key in (9, 10, 11))
    if not len(starts) == len(ends) == len(axes) or not all(type(n) is int for n in (*starts, *ends, *axes)):
        layer.refuse("starts, ends and axes that do not go together")
    places = [int(axis) + _AXES * (axis < 0) for axis in axes]
    if len({*places}) != len(places) or not {*places} <= {0, 1, 2}:
        layer.refuse(f"the axes {axes}")
    for start, end, axis in zip(starts, ends, places, strict=True):
        size = sizes[axis]
        first = int(start) + size * (start < 0)
        sizes[axis] = min(size, int(end) if end > 0 else size + int(end)) - first
        if first < 0:
            layer.refuse(f"a start {start} of {size}")
    return tuple(sizes)


def _slices(layer: Layer, given: Shape) -> tuple[Shape, ...]:
    layer.only({0, 1})
    channels, height, width = _image(layer, (given,))
    parts, made, left = layer.arrays.get(0, ()), list[Shape](), channels
    if layer.whole(1) != 0:
        layer.refuse(f"1={layer.whole(1)}, expected slices of channels")
    for number, part in enumerate(parts):
        count = left // (len(parts) - number) if part == _REST else int(part)
        made.append((count, height, width))
        left -= count
    if left or not all(type(part) is int for part in parts):
        layer.refuse(f"slices {parts} of {channels} channels")
    return tuple(made)


def _concat(layer: Layer, given: tuple[Shape, ...]) -> Shape:
    layer.only({0})
    images = [_image(layer, (shape,)) for shape in given]
    if layer.whole(0) != 0 or len({image[1:] for image in images}) != 1:
        layer.refuse(f"inputs of shapes {given} along axis {layer.whole(0)}")
    return sum(image[0] for image in images), *images[0][1:]


def _reduction(layer: Layer, given: tuple[Shape, ...]) -> Shape:
    layer.only({0, 1, 2, 3, 4, 5})
    image = _image(layer, given)
    axes = {int(axis) + _AXES * (axis < 0) for axis in layer.arrays.get(3, ())}
    known = layer.count(0) <= _LAST_REDUCTION and layer.whole(1) == 0 and layer.whole(4) == layer.whole(5) == 1
    if not known or not axes or not axes <= {0, 1, 2}:
        layer.refuse("a reduction that is not known here")
    return tuple(1 if axis in axes else size for axis, size in enumerate(image))


def _binary(layer: Layer, given: tuple[Shape, ...]) -> Shape:
    layer.only({0, 1, 2})
    if layer.count(0) > _LAST_BINARY or layer.whole(1) != (len(given) == 1):
        layer.refuse("an operation that is not known here")
    if len(given) == 1:
        return given[0]
    first, second = sorted(given, key=len, reverse=True)
    if len(second) == 1 and len(first) == _AXES:
        second = (*second, 1, 1)  # a number for each channel, or one
    if len(first) != len(second) or any(a != b and 1 not in (a, b) for a, b in zip(first, second, strict=True)):
        layer.refuse(f"inputs of shapes {given}")
    return tuple(map(max, zip(first, second, strict=True)))


def _eltwise(layer: Layer, given: tuple[Shape, ...]) -> Shape:
    """A product, a sum or the largest; a sum may have a factor for each input."""
    layer.only({0, 1})
    factors = layer.arrays.get(1, ())
    if layer.count(0) > _LAST_ELTWISE or len(factors) not in (0, len(given)) or len({*given}) != 1:
        layer.refuse(f"inputs of shapes {given} with {len(factors)} factors")
    return given[0]


def _unary(layer: Layer, given: tuple[Shape, ...]) -> Shape:
    layer.only({0})
    return given[0] if layer.count(0) <= _LAST_UNARY else layer.refuse("an operation that is not known here")


def _slopes(layer: Layer, given: tuple[Shape, ...]) -> Shape:
    layer.only({0})
    return given[0] if layer.count(0) in (1, given[0][0]) else layer.refuse(f"{layer.count(0)} slopes")


def _normalised(layer: Layer, given: tuple[Shape, ...]) -> Shape:
    layer.only({0, 1, 2})
    channels, *_ = image = _image(layer, given)
    if layer.whole(2, 1) not in (0, 1) or (layer.whole(2, 1) and layer.count(0) != channels):
        layer.refuse(f"statistics of {layer.count(0)} channels for {channels}")
    return image


def _pooling(layer: Layer, given: tuple[Shape, ...]) -> Shape:
    layer.only({*range(9), *range(11, 16), 18})
    channels, *sizes = _image(layer, given)
    if layer.count(0) > 1 or layer.whole(7):
        layer.refuse("a pooling that is not known here")
    if layer.whole(4):
        return (channels,)
    pads, kernel = _pads(layer, 3, 13, 14, 15), _steps(layer, 1, 11)
    if layer.whole(5) != 1 or any(pad > k for pad, k in zip(pads, kernel, strict=True)):
        layer.refuse("a pooling that is not known here")
    steps = zip(sizes, pads, kernel, _steps(layer, 2, 12), strict=True)
    return channels, *((size + pad - k) // stride + 1 for size, pad, k, stride in steps)


def _shuffle(layer: Layer, given: tuple[Shape, ...]) -> Shape:
    layer.only({0, 1})
    channels, height, width = _image(layer, given)
    factor = layer.count(0, 1)
    if not 0 < factor <= _LARGEST_FACTOR or channels % factor**2 or layer.whole(1) not in (0, 1):
        layer.refuse(f"the factor {factor} for {channels} channels")
    return channels // factor**2, height * factor, width * factor


def _unshuffle(layer: Layer, given: tuple[Shape, ...]) -> Shape:
    layer.only({0, 1})
    channels, height, width = _image(layer, given)
    factor = layer.count(0, 1)
    if not 0 < factor <= _LARGEST_FACTOR or height % factor or width % factor or layer.whole(1) not in (0, 1):
        layer.refuse(f"the factor {factor} for {height}x{width}")
    return channels * factor**2, height // factor, width // factor


def _interp(layer: Layer, given: tuple[Shape, ...]) -> Shape:
    layer.only({0, 1, 2, 3, 4, 5, 6})
    channels, height, width = _image(layer, given)
    factors = [np.float32(layer.numbers.get(key, 1)) for key in (1, 2)]
    if not 1 <= layer.count(0) <= _AXES or any(layer.whole(key) for key in (3, 4, 5)):
        layer.refuse("a way of resizing that is not known here")
    if not all(0 < factor <= _LARGEST_FACTOR for factor in factors):
        layer.refuse(f"the factors {factors}")
    return channels, int(np.float32(height) * factors[0]), int(np.float32(width) * factors[1])


def _constants(layer: Layer, given: tuple[Shape, ...]) -> Shape:
    layer.only({0, 1, 2, 21})
    width, height, channels = (layer.count(key) for key in range(3))
    if channels and height and width:
        return channels, height, width
    return (width,) if not channels and not height else layer.refuse("constants of two axes")


_RULES: Mapping[str, _Rule] = {
    "BinaryOp": _binary,
    "Clip": _same({0, 1}),
    "Concat": _concat,
    "Convolution": _convolution,
    "ConvolutionDepthWise": _convolution,
    "Crop": _crop,
    "Deconvolution": _deconvolution,
    "DeconvolutionDepthWise": _deconvolution,
    "ELU": _same({0}),
    "Eltwise": _eltwise,
    "GELU": _same({0}),
    "HardSigmoid": _same({0, 1}),
    "HardSwish": _same({0, 1}),
    "InstanceNorm": _normalised,
    "Interp": _interp,
    "MemoryData": _constants,
    "Mish": _same(set()),
    "PReLU": _slopes,
    "Padding": _padding,
    "PixelShuffle": _shuffle,
    "Pooling": _pooling,
    "ReLU": _same({0}),
    "Reduction": _reduction,
    "Reorg": _unshuffle,
    "Sigmoid": _same(set()),
    "Swish": _same(set()),
    "TanH": _same(set()),
    "UnaryOp": _unary,
}
