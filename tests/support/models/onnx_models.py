"""Small real ONNX models: convolution stacks whose weights are blended by alpha, of every kind we meet."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from dni_runtime import Endpoint, Metadata, pin, write_metadata

METADATA = Metadata(
    endpoints=(Endpoint("a.safetensors", "00" * 32), Endpoint("b.safetensors", "11" * 32)),
    architecture="ConvStack",
    scale=1.0,
    overlap=2,
    color="RGB",
    opset=18,
    tool="tests",
)
FEATURES = 8

FloatArray = npt.NDArray[np.float32]


class GraphBuilder:
    """Collects nodes and weights; every weight has two endpoints, blended in the graph if `alpha_input`."""

    def __init__(self, seed: int, alpha: float | None) -> None:
        self.rng = np.random.default_rng(seed)
        self.alpha = alpha
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        if alpha is None:
            self.constant("one", np.ones(1, np.float32))
            self.node("Sub", ["one", "alpha"], "rest")

    def constant(self, name: str, value: npt.NDArray[np.generic]) -> str:
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def weight(self, name: str, shape: tuple[int, ...]) -> str:
        fan_in = np.prod(shape[1:]) if len(shape) > 1 else 4
        a, b = (self.rng.normal(0, fan_in**-0.5, shape).astype(np.float32) for _ in "ab")
        if self.alpha is not None:  # the blend computed here, by NumPy: what the graph is compared with
            return self.constant(name, (self.alpha * a + (1 - self.alpha) * b).astype(np.float32))
        self.node("Mul", [self.constant(f"{name}.A", a), "alpha"], f"{name}.a")
        self.node("Mul", [self.constant(f"{name}.B", b), "rest"], f"{name}.b")
        return self.node("Add", [f"{name}.a", f"{name}.b"], name)

    def conv(self, x: str, name: str, inputs: int, outputs: int, stride: int = 1) -> str:
        weights = [
            self.weight(f"{name}.weight", (outputs, inputs, 3, 3)),
            self.weight(f"{name}.bias", (outputs,)),
        ]
        return self.node("Conv", [x, *weights], name, pads=[1, 1, 1, 1], strides=[stride, stride])

    def relu(self, x: str) -> str:
        return self.node("Relu", [x], f"{x}.relu")


def conv_stack(
    *,
    channels: int = 3,
    features: int = FEATURES,
    scale: float = 1.0,
    alpha: float | None = None,
    alpha_default: float | None = None,
    shape: tuple[int | str, int | str, int | str] = ("N", "H", "W"),
    metadata: Metadata | None = METADATA,
    seed: int = 0,
) -> onnx.ModelProto:
    """Two convolutions; alpha is an input, or (`alpha` given) the weights are plain and there is no alpha.

    `scale`: 1, 2 (DepthToSpace) or 0.5 (a stride). `shape`: N, H, W of the input. `metadata` gets the scale.
    """
    graph = GraphBuilder(seed, alpha)
    x = graph.relu(graph.conv("input", "first", channels, features, stride=2 if scale == 0.5 else 1))
    if scale == 2:
        x = graph.conv(x, "second", features, channels * 4)
        graph.node("DepthToSpace", [x], "output", blocksize=2)
    else:
        x = graph.conv(x, "second", features, channels)
        graph.node("Identity", [x], "output")
    if metadata is not None:
        default = None if alpha_default is None else (alpha_default,)
        metadata = replace(metadata, scale=scale, alpha_default=default)
        if scale == 0.5:
            metadata = replace(metadata, overlap=4)
    return finish(graph, channels, shape, metadata, alpha_default)


def unet(*, alpha: float | None = None, seed: int = 0) -> onnx.ModelProto:
    """Down by 4 and up again with a skip: sizes have to be multiples of 4; reach below 16 pixels."""
    graph = GraphBuilder(seed, alpha)
    skip = graph.conv("input", "top", 3, FEATURES)
    x = graph.relu(graph.conv(skip, "down1", FEATURES, FEATURES, stride=2))
    x = graph.relu(graph.conv(x, "down2", FEATURES, FEATURES, stride=2))
    for name in ("up1", "up2"):
        weight = graph.weight(f"{name}.weight", (FEATURES, FEATURES, 2, 2))
        x = graph.node("ConvTranspose", [x, weight], name, strides=[2, 2])
    x = graph.node("Add", [x, skip], "sum")
    graph.node("Identity", [graph.conv(x, "last", FEATURES, 3)], "output")
    metadata = replace(METADATA, architecture="UNet", size_multiple=4, size_minimum=8, overlap=16)
    return finish(graph, 3, ("N", "H", "W"), metadata, None)


def tinted(*, features: int = FEATURES, seed: int = 0) -> onnx.ModelProto:
    """Two convolutions and a shift by alpha itself: alpha does more than blend weights, so the graph runs as it is."""
    graph = GraphBuilder(seed, None)
    x = graph.relu(graph.conv("input", "first", 3, features))
    x = graph.conv(x, "second", features, 3)
    graph.node("Add", [x, "alpha"], "output")
    return finish(graph, 3, ("N", "H", "W"), METADATA, None)


def finish(
    graph: GraphBuilder,
    channels: int,
    shape: tuple[int | str, int | str, int | str],
    metadata: Metadata | None,
    alpha_default: float | None,
) -> onnx.ModelProto:
    n, h, w = shape
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [n, channels, h, w])]
    if graph.alpha is None:
        inputs.append(helper.make_tensor_value_info("alpha", TensorProto.FLOAT, [1]))
        if alpha_default is not None:
            graph.constant("alpha", np.array([alpha_default], np.float32))
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [n, channels, None, None])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "network", inputs, [output], graph.initializers),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    onnx.checker.check_model(model, full_check=True)
    if metadata is not None:
        write_metadata(model, metadata)
    return model


def save(model: onnx.ModelProto, path: Path, *, external: bool = False) -> Path:
    """Write `model`; with `external`, its weights into a file beside it, `<name>.data`."""
    if external:
        onnx.save(model, path, save_as_external_data=True, location=f"{path.name}.data", size_threshold=64)
    else:
        onnx.save(model, path)
    return path


def save_ort(model: onnx.ModelProto, path: Path) -> Path:
    """Write a model in ONNX Runtime's own format, by ONNX Runtime itself."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return path


def baked(alpha: float, *, seed: int = 0) -> onnx.ModelProto:
    return pin(conv_stack(seed=seed), alpha)


def noise(*shape: int, seed: int = 1) -> FloatArray:
    return np.random.default_rng(seed).random(shape, np.float32)


def picture(*shape: int, dtype: type = np.uint8, seed: int = 1) -> npt.NDArray[np.uint8]:
    """Random pixels over the whole range of `dtype`."""
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
