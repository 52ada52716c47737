"""ncnn's graph of a network, the text of a .param file: read line by line, and nothing taken on trust.

ncnn's own reader believes what it reads, and a model may be a stranger's. So a text is taken apart here first: layers
of a closed list, numbers of moderate size, values that one layer makes before another one reads them.
The format: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

Number: TypeAlias = int | float

_MAGIC = "7767517"
_LIMIT_CHARACTERS, _LIMIT_LAYERS, _LIMIT_VALUES = 2**20, 10_000, 20_000
# Array parameters: few numbers each. Numbers: sizes of weights are the largest, and float32's range.
_LIMIT_ARRAY, _LIMIT_WHOLE, _LIMIT_REAL = 64, 2**31 - 1, 3.4028235e38
_MOST_KEYS = 64
_NAME = re.compile(r"[A-Za-z0-9_.:/@-]{1,200}")
_WHOLE = re.compile(r"-?[0-9]{1,10}")
# What has a point or an exponent, as ncnn has it.
_REAL = re.compile(r"-?[0-9]{1,40}(\.[0-9]{0,40}(e[+-]?[0-9]{1,3})?|e[+-]?[0-9]{1,3})", re.IGNORECASE)
# An array's key is this less itself.
_ARRAY_KEY = -23300


class FormError(ValueError):
    """What is wrong with a form, without a remedy. Never leaves the package as it is."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A line of a .param file. `numbers`, `arrays`: its parameters by their key."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    numbers: Mapping[int, Number]
    arrays: Mapping[int, tuple[Number, ...]]

    def whole(self, key: int, default: int = 0) -> int:
        value = self.numbers.get(key, default)
        return value if isinstance(value, int) else self.refuse(f"{key}={value}, expected a whole number")

    def count(self, key: int, default: int = 0) -> int:
        """A whole number from 0."""
        value = self.whole(key, default)
        return value if value >= 0 else self.refuse(f"{key}={value}, expected 0 or more")

    def only(self, keys: set[int]) -> None:
        """Raise FormError where there is a parameter that is not among `keys`."""
        if unknown := (self.numbers.keys() | self.arrays.keys()) - keys:
            self.refuse(f"parameter {min(unknown)}, which is not known here")

    def refuse(self, what: str) -> NoReturn:
        raise FormError(f"layer {self.name} ({self.kind}) has {what}")


@dataclass(frozen=True, slots=True)
class Blob:
    """Weights of a layer, as they follow each other in a .bin file.

    flagged: whether a word goes before them that says how they are stored; 0 is float32.
    """

    layer: str
    flagged: bool
    count: int


def read_layers(text: str) -> tuple[Layer, ...]:
    """The layers of a .param file, in order. Raises FormError for what is not well formed, or not known here."""
    if len(text) > _LIMIT_CHARACTERS:
        raise FormError(f"the graph has {len(text):,} characters, expected at most {_LIMIT_CHARACTERS:,}")
    lines = [line.split() for line in text.split("\n") if line.strip()]
    if len(lines) < 2 or lines[0] != [_MAGIC] or len(lines[1]) != 2:
        raise FormError(f"the graph does not begin with {_MAGIC} and two counts")
    layers = tuple(_layer(words) for words in lines[2:])
    if not 0 < len(layers) <= _LIMIT_LAYERS or lines[1][0] != str(len(layers)):
        raise FormError(f"the graph has {len(layers)} layers and says {lines[1][0][:20]}")
    made: set[str] = set()
    unread: set[str] = set()
    for layer in layers:
        if any(name not in unread for name in layer.inputs) or len({*layer.inputs}) != len(layer.inputs):
            layer.refuse("an input that no layer before it makes, or that another one reads")
        unread -= {*layer.inputs}
        if not made.isdisjoint(layer.outputs) or len({*layer.outputs}) != len(layer.outputs):
            layer.refuse("an output that another layer makes")
        made |= {*layer.outputs}
        unread |= {*layer.outputs}
    if len(made) > _LIMIT_VALUES or lines[1][1] != str(len(made)):
        raise FormError(f"the graph has {len(made)} values and says {lines[1][1][:20]}")
    if [layer.kind for layer in layers].count("Input") != 1 or layers[0].kind != "Input" or len(unread) != 1:
        raise FormError("the graph has more than one image, or more than one result")
    return layers


def ends(layers: tuple[Layer, ...]) -> tuple[str, str]:
    """The names of the image and of the result."""
    read = {name for layer in layers for name in layer.inputs}
    (result,) = (name for layer in layers for name in layer.outputs if name not in read)
    return layers[0].outputs[0], result


def blobs(layers: tuple[Layer, ...]) -> list[Blob]:
    """What the .bin file of `layers` holds, in order. Raises FormError."""
    return [blob for layer in layers for blob in _BLOBS.get(layer.kind, _none)(layer)]


def words(parts: list[Blob]) -> int:
    """How many words of four bytes they take."""
    return sum(part.count + part.flagged for part in parts)


def _layer(words: list[str]) -> Layer:
    if len(words) < 4 or not all(re.fullmatch(r"[0-9]{1,3}", word) for word in words[2:4]):
        raise FormError(f"the graph has the line {' '.join(words)[:60]!r}")
    kind, name, inputs, outputs = words[0], words[1], int(words[2]), int(words[3])
    if kind not in KINDS:
        raise FormError(f"the graph has a layer {kind[:40]!r}, which is not known here")
    names, parameters = words[4 : 4 + inputs + outputs], words[4 + inputs + outputs :]
    if len(names) != inputs + outputs or not all(_NAME.fullmatch(word) for word in (name, *names)):
        raise FormError(f"the graph has the line {' '.join(words)[:60]!r}")
    least, most = KINDS[kind]
    if not least <= inputs <= most or (outputs < 1 or (outputs > 1 and kind not in ("Split", "Slice"))):
        raise FormError(f"layer {name} ({kind}) has {inputs} inputs and {outputs} outputs")
    numbers: dict[int, Number] = {}
    arrays: dict[int, tuple[Number, ...]] = {}
    for word in parameters:
        key, _, value = word.partition("=")
        number = int(key) if re.fullmatch(r"-?[0-9]{1,5}", key) else _MOST_KEYS
        if 0 <= number < _MOST_KEYS and number not in numbers:
            numbers[number] = _number(value)
        elif 0 <= (number := _ARRAY_KEY - number) < _MOST_KEYS and number not in arrays:
            count, *values = value.split(",")
            if count != str(len(values)) or len(values) > _LIMIT_ARRAY:
                raise FormError(f"layer {name} ({kind}) has the list {word[:40]!r}")
            arrays[number] = tuple(map(_number, values))
        else:
            raise FormError(f"layer {name} ({kind}) has the parameter {word[:40]!r}")
    return Layer(kind, name, tuple(names[:inputs]), tuple(names[inputs:]), numbers, arrays)


def _number(word: str) -> Number:
    if _WHOLE.fullmatch(word) and abs(int(word)) <= _LIMIT_WHOLE:
        return int(word)
    if _REAL.fullmatch(word) and abs(float(word)) <= _LIMIT_REAL:
        return float(word)
    raise FormError(f"the graph has the number {word[:40]!r}")


def _none(_: Layer) -> Iterator[Blob]:
    yield from ()


def _convolution(layer: Layer) -> Iterator[Blob]:
    yield Blob(layer.name, True, layer.count(6))
    if layer.whole(5):
        yield Blob(layer.name, False, layer.count(0))


def _normalised(layer: Layer) -> Iterator[Blob]:
    if layer.whole(2, 1):
        yield Blob(layer.name, False, layer.count(0))
        yield Blob(layer.name, False, layer.count(0))


def _slopes(layer: Layer) -> Iterator[Blob]:
    yield Blob(layer.name, False, layer.count(0))


def _constants(layer: Layer) -> Iterator[Blob]:
    if layer.whole(21, 1) != 1:
        layer.refuse(f"21={layer.whole(21, 1)}, a way of storing numbers that is not known here")
    sizes = [layer.count(key) for key in (0, 1, 11, 2)]
    yield Blob(layer.name, False, math.prod(size for size in sizes if size))


# By kind: how many inputs at least and at most. What each of them may say is told by the shapes that it makes.
KINDS: dict[str, tuple[int, int]] = {
    "Input": (0, 0),
    "BinaryOp": (1, 2),
    "Clip": (1, 1),
    "Concat": (1, 512),
    "Convolution": (1, 1),
    "ConvolutionDepthWise": (1, 1),
    "Crop": (1, 1),
    "Deconvolution": (1, 1),
    "DeconvolutionDepthWise": (1, 1),
    "ELU": (1, 1),
    "Eltwise": (2, 512),
    "GELU": (1, 1),
    "HardSigmoid": (1, 1),
    "HardSwish": (1, 1),
    "InstanceNorm": (1, 1),
    "Interp": (1, 1),
    "MemoryData": (0, 0),
    "Mish": (1, 1),
    "PReLU": (1, 1),
    "Padding": (1, 1),
    "PixelShuffle": (1, 1),
    "Pooling": (1, 1),
    "ReLU": (1, 1),
    "Reduction": (1, 1),
    "Reorg": (1, 1),
    "Sigmoid": (1, 1),
    "Slice": (1, 1),
    "Split": (1, 1),
    "Swish": (1, 1),
    "TanH": (1, 1),
    "UnaryOp": (1, 1),
}
_BLOBS: dict[str, Callable[[Layer], Iterator[Blob]]] = {
    "Convolution": _convolution,
    "ConvolutionDepthWise": _convolution,
    "Deconvolution": _convolution,
    "DeconvolutionDepthWise": _convolution,
    "InstanceNorm": _normalised,
    "MemoryData": _constants,
    "PReLU": _slopes,
}
