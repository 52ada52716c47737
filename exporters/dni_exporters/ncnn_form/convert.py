"""Let pnnx convert a network whose weights are numbers that tell where they are from."""

import math
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx.numpy_helper import from_array

from dni_runtime.ncnn.layers import FormError
from dni_runtime.onnx_files.explaining import first_line
from dni_runtime.weights.split import Split, subgraph

from .relative import make_relative
from .slopes import spread_slopes

# Fusions that would multiply or add two weights.
_MIXING = ["ConvAddFusion", "ConvMulFusion", "ConvBNFusion", "MatMulAddFusion", "MatmulBNFusion", "PadFusion"]
# Operators whose constants are weights; those of others say what to do, such as the factors of a Resize.
_WEIGHED = frozenset(
    {"Add", "Conv", "ConvTranspose", "Div", "Gemm", "InstanceNormalization", "MatMul", "Mul", "PRelu", "Sub"}
)
# The first number: 2**-20, with those after it as the next float32 values. There are a billion.
_FIRST = 0x35800000
_LIMIT_ELEMENTS = 2**28
_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Numbered:
    """All weights that a network may have, each element with a number of its own.

    starts: by name of the value, the number of its first element; they follow each other in this order.
    """

    shapes: Mapping[str, tuple[int, ...]]

    @property
    def starts(self) -> dict[str, int]:
        starts, end = {}, 0
        for name, shape in self.shapes.items():
            starts[name] = end
            end += math.prod(shape)
        return starts

    @property
    def total(self) -> int:
        return sum(math.prod(shape) for shape in self.shapes.values())

    def values(self, name: str) -> npt.NDArray[np.float32]:
        first, shape = self.starts[name] + _FIRST, self.shapes[name]
        return np.arange(first, first + math.prod(shape), dtype=np.uint32).view(np.float32).reshape(shape)

    def numbers(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        """Which elements float32 `values` are; negative, or `total` and more, for those that are none."""
        found: npt.NDArray[np.int64] = values.view(np.uint32).astype(np.int64) - _FIRST
        return found


def numbered(halves: Split) -> Numbered:
    """The weights that alpha moves, and those that it does not. Raises FormError."""
    shapes = halves.shapes()
    if missing := [name for name in halves.weights if name not in shapes]:
        raise FormError(f"the shape of {missing[0]} is not fixed")
    floats = {
        tensor.name
        for tensor in halves.model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and math.prod(tensor.dims) > 1
    } | halves.widened.keys()
    used = [name for node in halves.body if node.op_type in _WEIGHED for name in node.input if name in floats]
    found = Numbered({name: shapes[name] for name in dict.fromkeys((*halves.weights, *used))})
    if found.total > _LIMIT_ELEMENTS:
        raise FormError(f"it has {found.total:,} weights, expected at most {_LIMIT_ELEMENTS:,}")
    return found


@dataclass(frozen=True, slots=True)
class Converted:
    """What pnnx wrote: the text of a .param file, and the float32 of a .bin file."""

    param: str
    stored: npt.NDArray[np.float32]

    def is_like(self, other: "Converted") -> bool:
        return self.param == other.param and self.has_weights_of(other)

    def has_weights_of(self, other: "Converted") -> bool:
        return np.array_equal(self.stored.view(np.uint32), other.stored.view(np.uint32))


def convert(halves: Split, weights: Numbered, shape: tuple[int, int, int, int]) -> Converted:
    """pnnx's graph and weights for images of `shape`. Raises FormError where it cannot convert the network."""
    with tempfile.TemporaryDirectory(prefix="dni-ncnn-") as name:
        folder = Path(name)
        _write_body(halves, weights, shape, folder / "body.onnx")
        sizes = ",".join(map(str, shape))
        command = [_pnnx(), "body.onnx", f"inputshape=[{sizes}]f32", "fp16=0"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise FormError(f"pnnx took longer than {_TIMEOUT_S:.0f} s") from None
        except OSError as error:
            raise FormError(f"pnnx cannot be started ({error})") from None
        param, weights_file = folder / "body.ncnn.param", folder / "body.ncnn.bin"
        if done.returncode or not param.is_file() or not weights_file.is_file():
            lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            raise FormError(f"pnnx could not convert it ({lines[-1][:200] if lines else done.returncode})")
        stored = weights_file.read_bytes()
        return Converted(param.read_text(), np.frombuffer(stored[: len(stored) // 4 * 4], np.float32))


def made_with() -> str:
    """The version of pnnx."""
    return version("pnnx")


def _pnnx() -> str:
    import pnnx

    return str(pnnx.EXEC_PATH)


def _write_body(halves: Split, weights: Numbered, shape: tuple[int, int, int, int], path: Path) -> None:
    """The body for images of `shape` alone, simplified by ONNX Runtime where that needs no operators of its own."""
    (image,) = (value for value in halves.model.graph.input if value.name != "alpha")
    given = onnx.helper.make_tensor_value_info(image.name, onnx.TensorProto.FLOAT, shape)
    rest = (node for node in halves.body if weights.shapes.keys().isdisjoint(node.output))
    (made,) = halves.model.graph.output
    result = onnx.helper.make_tensor_value_info(made.name, onnx.TensorProto.FLOAT, None)
    body = subgraph(halves.model, rest, [given], [result])
    kept = [tensor for tensor in body.graph.initializer if tensor.name not in weights.shapes]
    del body.graph.initializer[:]
    body.graph.initializer.extend(kept)
    used = {name for node in body.graph.node for name in node.input}
    body.graph.initializer.extend(from_array(weights.values(name), name) for name in weights.shapes if name in used)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    try:
        onnxruntime.InferenceSession(
            body.SerializeToString(), options, providers=["CPUExecutionProvider"], disabled_optimizers=_MIXING
        )
    except Exception as error:  # ONNX Runtime's errors have no common base but Exception
        raise FormError(f"ONNX Runtime does not take it for one size of image ({first_line(error)})") from None
    optimized = onnx.load(path)
    others = [opset for opset in optimized.opset_import if opset.domain not in ("", "ai.onnx")]
    for opset in others:
        optimized.opset_import.remove(opset)
    make_relative(optimized)
    spread_slopes(optimized)
    onnx.save(optimized, path)
