"""What an ncnn network holds: the layers of its .param (text) and their weights in its .bin.

A .bin is nothing but the weights of the layers that have some, in the .param's order: a uint32 that says how the
weights lie (0x01306B47: float16, padded to 4 bytes; 0: float32), the weights, then the biases as float32.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FLOAT16_TAG = 0x01306B47
FLOAT32_TAG = 0
PARAM_MAGIC = "7767517"
LEARNT = ("Convolution", "Deconvolution", "InnerProduct")

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer with weights, float32: (out, in, h, w), for `Deconvolution` (in, out, h, w) as PyTorch has it."""

    name: str
    weight: Floats
    bias: Floats


def learnt_layers(param: str, binary: bytes) -> list[Layer]:
    """The layers with weights, in the file's order; ValueError where text and bytes do not agree to the last byte."""
    magic, _, *lines = param.splitlines()
    if magic.strip() != PARAM_MAGIC:
        raise ValueError(f"not an ncnn .param: it begins with {magic[:20]!r}, expected {PARAM_MAGIC}")
    reader, layers = _Reader(binary), []
    for line in lines:
        kind, name, *rest = line.split()
        if kind in LEARNT:
            layers.append(_layer(kind, name, _settings(rest), reader))
    if reader.left:
        raise ValueError(f"{reader.left} of {len(binary)} bytes belong to no layer")
    return layers


def _settings(fields: list[str]) -> dict[int, int]:
    """`0=32 1=3 5=1`: the whole numbers among a layer's settings; arrays (negative keys) are not needed here."""
    inputs, outputs = int(fields[0]), int(fields[1])
    pairs = (field.split("=", 1) for field in fields[2 + inputs + outputs :])
    return {int(key): int(value) for key, value in pairs if int(key) >= 0}


def _layer(kind: str, name: str, settings: dict[int, int], reader: "_Reader") -> Layer:
    outputs = settings[0]
    if kind == "InnerProduct":
        height = width = 1
        count, has_bias = settings[2], settings.get(1, 0)
    else:
        width = settings[1]
        height = settings.get(11, width)
        count, has_bias = settings[6], settings.get(5, 0)
    inputs, left = divmod(count, outputs * height * width)
    if left or not has_bias:
        raise ValueError(f"{kind} {name}: {count} weights for {outputs} x {height} x {width}, bias: {bool(has_bias)}")
    weight = reader.weights(count).reshape(outputs, inputs, height, width)
    bias = reader.floats(outputs)
    return Layer(name, weight.swapaxes(0, 1).copy() if kind == "Deconvolution" else weight, bias)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def weights(self, count: int) -> Floats:
        tag = int.from_bytes(self._take(4), "little")
        if tag == FLOAT16_TAG:
            padded = -(-2 * count // 4) * 4
            return np.frombuffer(self._take(padded), "<f2", count).astype(np.float32)
        if tag == FLOAT32_TAG:
            return self.floats(count)
        raise ValueError(f"weights with the tag {tag:#010x}, expected {FLOAT16_TAG:#010x} or 0")

    def floats(self, count: int) -> Floats:
        return np.frombuffer(self._take(4 * count), "<f4").astype(np.float32)

    def _take(self, size: int) -> bytes:
        if size > self.left:
            raise ValueError(f"the weights end after {len(self._data)} bytes, expected {size - self.left} more")
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken
