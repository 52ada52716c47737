"""Requests that Triton runs before it calls a model ready: the sizes and alphas that will come."""

import struct
from dataclasses import dataclass
from math import prod

from dni_deploy.ship.model_file import ModelFile
from dni_deploy.ship.triton.contract import ALPHA, IMAGE
from dni_deploy.ship.triton.options import ShipOptions

_MIDDLE = 0.5
# Of a number in `struct`.
_FORMAT = {"TYPE_FP32": "f", "TYPE_FP16": "e"}


@dataclass(frozen=True, slots=True)
class WarmupInput:
    """data is None for zeros; dims are without Triton's batch axis."""

    name: str
    data_type: str
    dims: tuple[int, ...]
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Warmup:
    """One request; `name` is for the server's log."""

    name: str
    inputs: tuple[WarmupInput, ...]


def warmups(model: ModelFile, options: ShipOptions) -> list[Warmup]:
    """A request for each size, at both ends of alpha's range and in its middle; without alpha one for each size."""
    requests = []
    sizes = dict.fromkeys(_fit(model, *size) for size in options.warmup)
    for height, width in (size for size in sizes if options.backend != "python" or prod(size) <= options.max_pixels):
        image = _image(model, options.backend, height, width)
        if model.alpha is None:
            requests.append(Warmup(f"{height}x{width}", (image,)))
            continue
        low, high = model.metadata.alpha_range
        for share in (0.0, _MIDDLE, 1.0):
            value = (low + share * (high - low)) / (1 if model.metadata.alpha_knobs else model.alpha_count)
            requests.append(Warmup(f"{height}x{width} at alpha {value:g}", (image, *_alphas(model, options, value))))
    return requests


def _fit(model: ModelFile, height: int, width: int) -> tuple[int, int]:
    """The nearest size that the network takes without padding."""
    _, _, fixed_height, fixed_width = model.signature.shape
    height, width = model.metadata.sizes.fit(height, width)
    return fixed_height or height, fixed_width or width


def _image(model: ModelFile, backend: str, height: int, width: int) -> WarmupInput:
    batch, channels, *_ = model.signature.shape
    if backend == "python":
        return WarmupInput(IMAGE, "TYPE_UINT8", (height, width, 1 if channels == 1 else 3))
    return WarmupInput(model.image.name, model.image.data_type, (batch or 1, channels or 3, height, width))


def _alphas(model: ModelFile, options: ShipOptions, value: float) -> list[WarmupInput]:
    """`value` for each of alpha's numbers."""
    if options.backend == "python":
        ports = [(ALPHA, "TYPE_FP32", model.alpha_count)]
    else:
        count = model.alpha_count // len(model.alphas)
        ports = [(alpha.name, alpha.data_type, count) for alpha in model.alphas]
    return [
        WarmupInput(name, kind, (count,), struct.pack(f"<{count}{_FORMAT[kind]}", *[value] * count))
        for name, kind, count in ports
    ]
