"""A network that does what its alpha says: 1 leaves an image as it is, 0 blurs it. So noise wants a smaller alpha."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx_models import METADATA, save

from dni_runtime import Calibration, Metadata, write_metadata

_BLUR = np.outer([1, 2, 1], [1, 2, 1]) / 16
_SHARP = np.zeros((3, 3))
_SHARP[1, 1] = 1

NOISE = Calibration("noise", (5.0, 15.0, 30.0, 60.0), (1.0, 0.8, 0.4, 0.0))
JPEG = Calibration("jpeg", (20.0, 50.0, 90.0), (0.1, 0.4, 1.0))


def sharp_or_blurred(calibration: Calibration | None = None, *, scale: float = 1.0, **about: Any) -> onnx.ModelProto:
    """RGB to RGB, each channel by itself; of scale 2 it repeats pixels first, of 0.5 it takes the mean of four last."""
    metadata: Metadata = replace(METADATA, calibration=calibration, scale=scale, **about)
    first, last = (repeat(), []) if scale == 2 else ([], mean_of_four()) if scale == 0.5 else ([], [])
    source, target = "large" if first else "input", "sharp" if last else "output"
    nodes = [
        *first,
        helper.make_node("Sub", ["one", "alpha"], ["rest"]),
        helper.make_node("Mul", ["sharp.A", "alpha"], ["a"]),
        helper.make_node("Mul", ["blur.B", "rest"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["weight"]),
        helper.make_node("Conv", [source, "weight"], [target], pads=[1, 1, 1, 1], group=3),
        *last,
    ]
    kernels = {"sharp.A": _SHARP, "blur.B": _BLUR}
    initializers = [
        numpy_helper.from_array(np.broadcast_to(kernel, (3, 1, 3, 3)).astype(np.float32), name)
        for name, kernel in kernels.items()
    ]
    initializers += [
        numpy_helper.from_array(np.ones(1, np.float32), "one"),
        numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"),
    ]
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, "H", "W"]),
        helper.make_tensor_value_info("alpha", TensorProto.FLOAT, [1]),
    ]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", 3, None, None])
    model = helper.make_model(
        helper.make_graph(nodes, "network", inputs, [output], initializers),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    onnx.checker.check_model(model, full_check=True)
    write_metadata(model, metadata)
    return model


def repeat() -> list[onnx.NodeProto]:
    return [helper.make_node("Resize", ["input", "", "scales"], ["large"], mode="nearest")]


def mean_of_four() -> list[onnx.NodeProto]:
    return [helper.make_node("AveragePool", ["sharp"], ["output"], kernel_shape=[2, 2], strides=[2, 2])]


def saved(path: Path, calibration: Calibration | None = None, **about: Any) -> Path:
    return save(sharp_or_blurred(calibration, **about), path)
