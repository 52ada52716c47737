"""What the page has to know about a model: the JSON beside it, read by site/dni/dni.js."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import onnx

from dni_deploy.ship.model_file import ModelFile
from dni_runtime import ModelError

FORMAT = 1
_RGB = 3
_CHANNELS = (1, _RGB)


def describe(model: ModelFile) -> dict[str, Any]:
    """Plain data for JSON, from the model's signature and metadata.

    alpha is null for a model without that input, else its name, shape, count, range and default; pinned is the alpha of
    a baked model; scale is [numerator, denominator]; sizes are in input pixels, null where they are free or not known.

    Raises ModelError for models that take or give no images, or that no browser runs.
    """
    metadata, signature = model.metadata, model.signature
    if metadata.scale is None:
        raise ModelError(
            f"{model.path} has no scale in its metadata (output size / input size), so a page cannot tile an image; "
            "export the model with dni-export"
        )
    if signature.shape[1] not in (None, *_CHANNELS):
        raise ModelError(f"{model.path} takes {signature.shape[1]} channels; expected 1 or 3, a grey or RGB image")
    tensors = [tensor for tensor in (model.image, model.alpha, model.output) if tensor is not None]
    for tensor in tensors:
        if tensor.data_type != "TYPE_FP32":
            raise ModelError(
                f"{model.path}: {tensor.name!r} is not float32, which is what the page gives and takes; "
                "dni-export --dtype float16 keeps it so and halves the weights alone"
            )
    scale = Fraction(metadata.scale).limit_denominator(64)
    batch, channels, height, width = signature.shape
    return {
        "format": FORMAT,
        "name": model.path.stem,
        "input": {"name": signature.input_name, "shape": [batch, channels or _RGB, height, width]},
        "output": {"name": signature.output_name},
        "alpha": _alpha(model),
        "pinned": None if metadata.alpha_pinned is None else list(metadata.alpha_pinned),
        "endpoints": [Path(endpoint.file).stem for endpoint in metadata.endpoints],
        "architecture": metadata.architecture,
        "scale": [scale.numerator, scale.denominator],
        "size": {"multiple": metadata.size_multiple, "minimum": metadata.size_minimum},
        "overlap": metadata.overlap,
        "range": list(metadata.value_range),
    }


def _alpha(model: ModelFile) -> dict[str, Any] | None:
    if model.alpha is None:
        return None
    default = model.metadata.alpha_default
    return {
        "name": model.alpha.name,
        "shape": list(model.signature.alpha_shape),
        "count": model.alpha_count,
        "range": list(model.metadata.alpha_range),
        "default": None if default is None else list(default),
    }


def model_bytes(model: ModelFile) -> bytes:
    """The ONNX file as a browser takes it: one file, and alpha an input without a value of its own.

    Raises ModelError if its external weights are missing, or more than the 2 GB of one file.
    """
    if not model.external_files and not model.alpha_has_initializer:
        return model.path.read_bytes()
    try:
        proto = onnx.load(model.path)
        if model.alpha is not None and model.alpha_has_initializer:
            # onnxruntime-web refuses to be fed what has a value already; the page knows the default from the JSON.
            stored = next(tensor for tensor in proto.graph.initializer if tensor.name == model.alpha.name)
            proto.graph.initializer.remove(stored)
        data: bytes = proto.SerializeToString()
        return data
    except Exception as error:  # onnx and protobuf raise many kinds for missing, short and too large weights
        raise ModelError(f"{model.path} cannot be put into one file with its weights: {error}") from None
