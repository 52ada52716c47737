"""What the page has to know about a model: the JSON beside it, read by site/dni/dni.js."""

from fractions import Fraction
from math import lcm, prod
from pathlib import Path
from typing import Any

from onnx.external_data_helper import uses_external_data
from onnx.numpy_helper import from_array

from dni_deploy.ship.model_file import ModelFile
from dni_runtime import Metadata, ModelError
from dni_runtime.metadata import LIMIT_SIDE_PIXELS
from dni_runtime.onnx_files.external_data import every_tensor, read_tensor
from dni_runtime.onnx_files.join_knobs import join_knobs
from dni_runtime.onnx_files.reading import read_model
from dni_runtime.onnx_files.tensors import size_bytes

from .names import check_name

FORMAT = 1
_RGB = 3
_CHANNELS = (1, _RGB)
_LIMIT_BYTES = 2**31 - 1
# A tile of that height and width takes 200 MB as floats, and the network more, however small the photograph is.
_LIMIT_FIXED_PIXELS = 4096


def describe(model: ModelFile) -> dict[str, Any]:
    """Plain data for JSON, from the model's signature and metadata.

    alpha is null for a model without that input, else its name, shape, count, range and default, and along a path the
    places of `endpoints`, which are then those at its knots; pinned is the alpha of a baked model; names are what the
    numbers of either are called where there are knobs (`model_bytes` has one input for all of them); scale is
    [numerator, denominator]; sizes are in input pixels, null where they are free or not known.

    Raises ModelError for models that take or give no images, or that no browser runs.
    """
    metadata, signature = model.metadata, model.signature
    scale = metadata.ratio
    if scale is None:
        raise ModelError(
            f"{model.path} has no scale in its metadata (output size / input size), so a page cannot tile an image; "
            "export the model with dni-export"
        )
    if signature.shape[1] not in (None, *_CHANNELS):
        raise ModelError(f"{model.path} takes {signature.shape[1]} channels; expected 1 or 3, a grey or RGB image")
    for tensor in (model.image, *model.alphas, model.output):
        if tensor.data_type != "TYPE_FP32":
            raise ModelError(
                f"{model.path}: {tensor.name!r} is not float32, which is what the page gives and takes; "
                "dni-export --dtype float16 keeps it so and halves the weights alone"
            )
    _check_sizes(model, scale)
    batch, channels, height, width = signature.shape
    return {
        "format": FORMAT,
        "name": check_name(model.path, model.path.stem),
        "input": {"name": signature.input_name, "shape": [batch, channels or _RGB, height, width]},
        "output": {"name": signature.output_name},
        "alpha": _alpha(model),
        "pinned": None if metadata.alpha_pinned is None else list(metadata.alpha_pinned),
        "names": list(metadata.knob_names) or None,
        "endpoints": _names(metadata),
        "architecture": metadata.architecture,
        "scale": [scale.numerator, scale.denominator],
        "size": {
            "multiple": metadata.size_multiple,
            "minimum": metadata.size_minimum,
            **({"square": True} if metadata.size_square else {}),
            **({"grid": metadata.size_grid} if metadata.size_grid > 1 else {}),
        },
        "overlap": metadata.overlap,
        "range": list(metadata.value_range),
        "verdict": metadata.verdict,
        "calibration": None if metadata.calibration is None else metadata.calibration.to_dict(),
    }


def _check_sizes(model: ModelFile, scale: Fraction) -> None:
    unit = lcm(model.metadata.size_multiple, scale.denominator)
    if unit > LIMIT_SIDE_PIXELS:
        raise ModelError(
            f"{model.path} takes sizes that are multiples of {unit} alone; a page pads to at most {LIMIT_SIDE_PIXELS}"
        )
    for fixed in model.signature.shape[2:]:
        if fixed is not None and (fixed > _LIMIT_FIXED_PIXELS or fixed % scale.denominator):
            raise ModelError(
                f"{model.path} takes {fixed} pixels along a side; expected sizes of at most {_LIMIT_FIXED_PIXELS}, "
                f"which the scale {scale} makes whole numbers of, or free ones"
            )
    count, named = prod(model.signature.alpha_shape), model.metadata.alpha_count
    if model.alpha is not None and count != named:
        raise ModelError(f"{model.path} takes {count} numbers as alpha, and its metadata has {named}; export it again")


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
        "knots": None if model.metadata.alpha_path is None else list(model.metadata.alpha_path.knots),
    }


def _names(metadata: Metadata) -> list[str]:
    names = [Path(endpoint.file).stem for endpoint in metadata.endpoints]
    path = metadata.alpha_path
    return names if path is None else [names[number] for number in path.knot_numbers]


def model_bytes(model: ModelFile) -> bytes:
    """The ONNX file as a browser takes it: one file, and alpha one input without a value of its own.

    Raises ModelError if it has more than the 2 GB of one file, with its external weights.
    """
    path = model.path
    if not (model.external_files or model.alpha_has_initializer or model.metadata.alpha_knobs):
        _check_bytes(path, path.stat().st_size)
        return path.read_bytes()
    proto = read_model(path)
    join_knobs(proto)
    outside = [tensor for tensor in every_tensor(proto) if uses_external_data(tensor)]
    _check_bytes(path, proto.ByteSize() + sum(size_bytes(tensor) for tensor in outside))
    for tensor in outside:
        tensor.CopyFrom(from_array(read_tensor(tensor, path.parent), tensor.name))
    if model.alpha is not None and model.alpha_has_initializer:
        # onnxruntime-web refuses to be fed what has a value already; the page knows the default from the JSON.
        stored = next(tensor for tensor in proto.graph.initializer if tensor.name == model.alpha.name)
        proto.graph.initializer.remove(stored)
    data: bytes = proto.SerializeToString()
    return data


def _check_bytes(path: Path, size: int) -> None:
    if size > _LIMIT_BYTES:
        raise ModelError(f"{path} has {size / 1e9:.1f} GB with its weights; a browser takes one file, of 2 GB at most")
