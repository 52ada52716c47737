"""The form in which ncnn runs a model: `metadata_props["dni.ncnn"]` of its ONNX file, one JSON object, format 1.

It is the text of ncnn's .param file, and for each part of the .bin file which of the model's values it is and in which
order. The numbers themselves are the model's: they are in the file once.
"""

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import onnx

from dni_runtime.errors import ModelError
from dni_runtime.files.fields import FieldError, Fields
from dni_runtime.sizes import Sizes

from .layers import FormError, blobs, read_layers

KEY = "dni.ncnn"
_FORMAT = 1
_LIMIT_CHARACTERS = 2**22
_LIMIT_BLOBS, _LIMIT_STEPS = 20_000, 8
LIMIT_PERIOD, LIMIT_GRAPHS = 1024, 16


Remainders: TypeAlias = tuple[int, int]
"""What is left of a height and a width when they are divided."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of ncnn's .bin file: elements of a value of the model.

    weight: the value's name.
    steps:  pairs (count, stride), outermost first: element (i, j, ...) is number `start` + i * stride + j * stride' ...
            of the value.
    """

    weight: str
    start: int
    steps: tuple[tuple[int, int], ...]

    @property
    def count(self) -> int:
        return math.prod(count for count, _ in self.steps)

    @property
    def last(self) -> int:
        """The largest number of an element; strides are 0 or more."""
        return self.start + sum((count - 1) * stride for count, stride in self.steps)

    def index(self) -> npt.NDArray[np.int64]:
        """int64 (count,): the elements' numbers."""
        index = np.array([self.start], np.int64)
        for count, stride in self.steps:
            index = (index[:, None] + np.arange(count, dtype=np.int64) * stride).ravel()
        return index


@dataclass(frozen=True, slots=True)
class Form:
    """A model as ncnn has it.

    period:    a graph holds for all images whose height, and whose width, leave one remainder by it.
    graphs:    by these remainders, of height and width, texts of .param files. Networks that pad images to multiples
               of 2 have four: what is padded and cut off again is a number in ncnn's graphs.
    parts:     of the .bin file, in order, as many as the layers of each graph take.
    made_with: the version of pnnx.
    """

    period: int
    graphs: Mapping[Remainders, str]
    parts: tuple[Part, ...]
    made_with: str

    @property
    def is_for_all(self) -> bool:
        """Whether it has a graph for every height and width."""
        return len(self.graphs) == self.period**2

    def graph_for(self, height: int, width: int) -> str | None:
        """The graph for images of `height` x `width`, None where there is none."""
        return self.graphs.get((height % self.period, width % self.period))

    def multiple_for(self, sizes: Sizes) -> int:
        """What images of any of a network's `sizes` are padded to multiples of, so that there is a graph for them.

        1 where there is one for all of them, or none for multiples of anything.
        """
        each = {n * sizes.multiple % self.period for n in range(self.period)}
        needed = {(n, n) for n in each} if sizes.square else {*itertools.product(each, each)}
        return self.period if (0, 0) in self.graphs and not needed <= self.graphs.keys() else 1

    def __str__(self) -> str:
        """What it is for: `heights and widths that are multiples of 8`."""
        if self.is_for_all:
            return "any height and width"
        if [*self.graphs] == [(0, 0)]:
            return f"heights and widths that are multiples of {self.period}"
        told = ", ".join(f"{height} and {width}" for height, width in sorted(self.graphs))
        return f"heights and widths that leave {told} when they are divided by {self.period}"

    def to_json(self) -> str:
        values = {
            "format": _FORMAT,
            "pnnx": self.made_with,
            "period": self.period,
            "graphs": [
                {"height": height, "width": width, "param": param} for (height, width), param in self.graphs.items()
            ],
            "weights": [
                {"value": part.weight, "start": part.start, "steps": [n for step in part.steps for n in step]}
                for part in self.parts
            ],
        }
        return json.dumps(values, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Form":
        """Raises ModelError for whatever it may hold instead."""
        try:
            fields = Fields.parse(text, _LIMIT_CHARACTERS)
            if (version := fields.whole("format", 0, 2**31)) != _FORMAT:
                raise FieldError(f"it has format {version}; expected {_FORMAT}")
            period = fields.whole("period", 1, LIMIT_PERIOD)
            graphs = dict(_graph(graph, period) for graph in fields.list_of_inner("graphs", LIMIT_GRAPHS))
            parts = tuple(_part(part) for part in fields.list_of_inner("weights", _LIMIT_BLOBS))
            form = cls(period, graphs, parts, fields.text("pnnx", 40))
            check(form)
        except (FieldError, FormError) as error:
            raise ModelError(
                f'the model\'s form for ncnn ("{KEY}") cannot be read: {error}; export the model again, or run it with '
                "another provider"
            ) from None
        return form


def read_form(model: onnx.ModelProto) -> Form | None:
    """The form of `model`, None where it has none. Raises ModelError as `Form.from_json`."""
    texts = [prop.value for prop in model.metadata_props if prop.key == KEY]
    if len(texts) > 1:
        raise ModelError(f'the model has {len(texts)} metadata entries "{KEY}"; expected one: export the model again')
    return Form.from_json(texts[0]) if texts else None


def check(form: Form) -> None:
    """Raise FormError unless its layers are known and take the parts that it has."""
    if not form.graphs:
        raise FormError("it has no graph")
    found, *others = (blobs(read_layers(param)) for param in form.graphs.values())
    if any([(b.flagged, b.count) for b in other] != [(b.flagged, b.count) for b in found] for other in others):
        raise FormError("its graphs take different weights")
    if len(found) != len(form.parts):
        raise FormError(f"its layers take {len(found)} weights, it has {len(form.parts)}")
    for blob, part in zip(found, form.parts, strict=True):
        if blob.count != part.count or not blob.count:
            raise FormError(f"layer {blob.layer} takes {blob.count} weights, it has {part.count} of {part.weight!r}")


def _graph(fields: Fields, period: int) -> tuple[Remainders, str]:
    return (fields.whole("height", 0, period - 1), fields.whole("width", 0, period - 1)), fields.text("param")


def _part(fields: Fields) -> Part:
    numbers = fields.list_of_numbers("steps", 2 * _LIMIT_STEPS)
    if len(numbers) % 2 or not all(type(n) is int and 0 <= n < 2**31 for n in numbers):
        fields.refuse("steps", "pairs of whole numbers, count and stride")
    steps = tuple((int(count), int(stride)) for count, stride in zip(numbers[::2], numbers[1::2], strict=True))
    return Part(fields.text("value"), fields.whole("start", 0, 2**31 - 1), steps)
