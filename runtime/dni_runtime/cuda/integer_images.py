"""A network that takes and gives integer images: converted, rounded and clipped in the graph, on its device.

What `images.to_float` and `images.write_pixels` do with NumPy, as nodes around the network, to the last bit. So a
quarter of the bytes of float32 cross to a GPU and back, and no rounding is left for the host.

Every operator here has a kernel in ONNX Runtime's CUDA provider for the types it is used with, from opset 13 to 22
(docs/OperatorKernels.md in its repository): no value passes through the host, and a CUDA graph can hold all of it.
On a CPU it gains nothing: around a network that makes 2048 x 2048 pixels it takes as long as NumPy for uint8 and 1.4
times as long for uint16, and for tiles NumPy works beside the network.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

NAN_OUTPUT = "dni@nan"
"""Name of the second output, float32 (1,): how many values of the network's output are NaN, 0 for a good one."""

Integers = type[np.uint8] | type[np.uint16]

# The last opset of whose QuantizeLinear ONNX Runtime's CUDA provider has a kernel (docs/OperatorKernels.md).
_LAST_QUANTIZE = 22
_KINDS: dict[Integers, int] = {np.uint8: TensorProto.UINT8, np.uint16: TensorProto.UINT16}


def with_integer_images(
    model: onnx.ModelProto,
    image: str,
    output: str,
    value_range: tuple[float, float],
    dtype: Integers,
) -> onnx.ModelProto:
    """A copy of `model` whose input `image` and output `output` are interleaved integer images.

    `model`: takes float32 or float16 (N, C, H, W) over `value_range`, and gives the same (N, C', H', W'). The copy
    takes and gives `dtype`, (N, H, W, C) and (N, H', W', C'), over the whole range of the dtype, under the same names.
    Fixed sizes stay fixed, and all other inputs as they are; other outputs are left out.

    A NaN has no integer (what comes out for it differs by device): where `NAN_OUTPUT` is not 0, `output` is no image.
    """
    wrapped = onnx.ModelProto()
    wrapped.CopyFrom(model)
    graph = wrapped.graph
    taken = next(value for value in graph.input if value.name == image)
    given = next(value for value in graph.output if value.name == output)
    before, after = _Nodes("before"), _Nodes("after")
    x = _add_floats(before, image, taken.type.tensor_type.elem_type, value_range, dtype)
    y = "dni@output"
    _add_nan_count(after, y)
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    _add_integers(after, y, given.type.tensor_type.elem_type, value_range, dtype, opset, output)

    _rename(graph.node, {image: x, output: y})
    _replace(graph.node, [*before.nodes, *graph.node, *after.nodes])
    _replace(graph.value_info, [value for value in graph.value_info if value.name not in (image, output)])
    _replace(graph.input, [_interleaved(value, dtype) if value is taken else value for value in graph.input])
    nan = helper.make_tensor_value_info(NAN_OUTPUT, TensorProto.FLOAT, [1])
    _replace(graph.output, [_interleaved(given, dtype), nan])
    graph.initializer.extend([*before.constants, *after.constants])
    return wrapped


def _add_floats(nodes: "_Nodes", image: str, kind: int, value_range: tuple[float, float], dtype: Integers) -> str:
    """`images.to_float`, for tensors of `kind`."""
    low, high = value_range
    x = nodes.add("Cast", nodes.add("Transpose", image, perm=[0, 3, 1, 2]), to=TensorProto.FLOAT)
    x = nodes.add("Div", x, nodes.constant(np.iinfo(dtype).max / (high - low)))
    if low:
        x = nodes.add("Add", x, nodes.constant(low))
    return x if kind == TensorProto.FLOAT else nodes.add("Cast", x, to=kind)


def _add_nan_count(nodes: "_Nodes", y: str) -> None:
    """`NAN_OUTPUT` for the network's own output.

    That this reads it too keeps ONNX Runtime from folding the Mul of `_add_integers` into the weights of a last Conv,
    which would round otherwise than NumPy. Not ReduceMax: on CUDA only sums have a kernel that is not cuDNN's.
    """
    nan = nodes.add("Cast", nodes.add("IsNaN", y), to=TensorProto.FLOAT)
    nodes.add("Reshape", nodes.add("ReduceSum", nan, keepdims=0), nodes.constant([1], np.int64), output=NAN_OUTPUT)


def _add_integers(
    nodes: "_Nodes", y: str, kind: int, value_range: tuple[float, float], dtype: Integers, opset: int, output: str
) -> None:
    """`images.write_pixels`, for tensors of `kind`."""
    low, high = value_range
    largest = np.iinfo(dtype).max
    if kind != TensorProto.FLOAT:
        y = nodes.add("Cast", y, to=TensorProto.FLOAT)  # float16 holds no 65535, and would round 255 times a value
    if low:
        y = nodes.add("Sub", y, nodes.constant(low))
    y = nodes.add("Mul", y, nodes.constant(largest / (high - low)))
    if dtype == np.uint8 and opset <= _LAST_QUANTIZE:
        # Rounds half to even, clips and casts, in one pass over memory instead of three.
        y = nodes.add("QuantizeLinear", y, nodes.constant(1), nodes.constant(0, np.uint8))
    else:  # uint16 has no QuantizeLinear on CUDA, nor before opset 21
        y = nodes.add("Clip", nodes.add("Round", y), nodes.constant(0), nodes.constant(largest))
        y = nodes.add("Cast", y, to=_KINDS[dtype])
    nodes.add("Transpose", y, perm=[0, 2, 3, 1], output=output)  # last, when a value is a byte or two


class _Nodes:
    """Collects nodes and constants under names that no network has."""

    def __init__(self, prefix: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._prefix = prefix

    def add(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """A node; returns the name of its only output."""
        name = f"dni@{self._prefix}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output or name], name, **attributes))
        return output or name

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        name = f"dni@{self._prefix}_constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name


def _interleaved(value: onnx.ValueInfoProto, dtype: Integers) -> onnx.ValueInfoProto:
    """A tensor (N, C, H, W), as integers (N, H, W, C) of the same sizes, fixed or not."""
    new = onnx.ValueInfoProto()
    new.CopyFrom(value)
    tensor = new.type.tensor_type
    tensor.elem_type = _KINDS[dtype]
    dims = list(value.type.tensor_type.shape.dim)
    if dims:  # a graph may leave an output's shape open
        _replace(tensor.shape.dim, [dims[axis] for axis in (0, 2, 3, 1)])
    return new


def _rename(nodes: Iterable[onnx.NodeProto], names: Mapping[str, str]) -> None:
    """Rename values wherever they are used, in subgraphs too."""
    for node in nodes:
        for used in (node.input, node.output):
            used[:] = [names.get(name, name) for name in used]
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                _rename(graph.node, names)


def _replace(field: Any, values: Iterable[Any]) -> None:
    """Put other messages into a repeated field, among them some of its own."""
    kept = list(values)
    del field[:]
    field.extend(kept)
