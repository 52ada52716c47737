"""The smallest request that a model answers: a server that says it is ready may have lost what runs the model."""

import json
from collections.abc import Sequence
from math import prod
from typing import Any

from dni_deploy.ship.triton.contract import ALPHA, IMAGE
from dni_runtime import Metadata

from .config_file import data_type

# The parameter that says so, "512x512".
FIXED_SIZE = "fixed_size"
_GREY, _FLOAT32 = (128, 128, 128), "TYPE_FP32"
# HAProxy sends it out of one buffer, of 16 KiB, with the head of the request.
_LARGEST_BYTES = 12 * 2**10


def tiny_request(config: Any, pixel: Sequence[object] = _GREY) -> str | None:
    """A body of the HTTP protocol for the model of a configuration, in the middle of alpha's range: ASCII, one line.

    One pixel for the python backend, grey unless `pixel` says red, green and blue (the same request again could be
    answered from a cache), and as few black ones as the network takes for the onnxruntime backend; None
    where those are many, or are float16, which JSON does not have, or where it is no configuration of ours.
    """
    metadata, batched = _metadata(config), config.backend == "python"
    inputs = {value.name: value for value in config.input}
    alphas = [value for name in metadata.alpha_inputs if (value := inputs.pop(name, None)) is not None]
    if batched:
        tensors: list[dict[str, Any]] = [
            {"name": IMAGE, "shape": [1, 1, 1, 3], "datatype": "UINT8", "data": list(pixel)}
        ]
    else:
        size = metadata.sizes.side()
        image, *others = inputs.values()
        dims = [-1, *image.dims] if config.max_batch_size else list(image.dims)
        if others or len(dims) != len(free := (1, 3, size, size)):
            return None
        shape = [given if given > 0 else least for given, least in zip(dims, free, strict=True)]
        if prod(shape) > _LARGEST_BYTES or data_type(image) != _FLOAT32:
            return None
        tensors = [{"name": image.name, "shape": shape, "datatype": "FP32", "data": [0] * prod(shape)}]
    middle = middle_alpha(config) or []
    for alpha in alphas:
        if data_type(alpha) != _FLOAT32:
            return None
        values = middle if len(alphas) == 1 else middle[:1]
        shape = [1, len(values)] if batched else [len(values)]
        tensors.append({"name": alpha.name, "shape": shape, "datatype": "FP32", "data": values})
    text = json.dumps({"inputs": tensors}, separators=(",", ":"))
    return text if len(text) <= _LARGEST_BYTES else None


def pause_s(config: Any) -> int:
    """Seconds between two questions: a network of one size runs a whole image for each, however tiny it is."""
    fixed = config.parameters[FIXED_SIZE].string_value if FIXED_SIZE in config.parameters else ""
    return 20 if fixed else 1


def middle_alpha(config: Any) -> list[float] | None:
    """The middle of the range of a model's configuration, of shares their part; None where it takes no alpha."""
    dims = next((value.dims for value in config.input if value.name == ALPHA), None)
    if dims is None:
        return None
    metadata = _metadata(config)
    low, high = metadata.alpha_range
    count = max(1, min(prod(dims), _LARGEST_BYTES))
    return [(low + high) / 2 / (1 if metadata.alpha_knobs else count)] * count


def _metadata(config: Any) -> Metadata:
    return Metadata.from_json(config.parameters["dni"].string_value) if "dni" in config.parameters else Metadata()
