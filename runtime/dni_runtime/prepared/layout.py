"""Learn in which layout ONNX Runtime wants a network's weights, and get the graph that it makes for them.

ONNX Runtime rearranges constant weights (blocks of channels for the vector units), scales some, and fuses
nodes around them; with computed weights it does none of it, which costs 10 to 60 % of the speed. So it is
given constants to optimize: every weight's elements are numbers that tell which weight and which element they
are. Where these numbers are found afterwards is where the weights belong. Nothing here knows ONNX Runtime's
formats, and what it does not recognise it refuses.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from dni_runtime.files.unfinished import unfinished_folder
from dni_runtime.onnx_files.external_data import given_tensor, read_tensor
from dni_runtime.weights.split import CannotPrepareError, Split, subgraph

# Float32 holds every whole number up to here.
_NUMBERS_LIMIT = 2**24
# Weights have as many elements as are stored, at most; these few may be spread from less.
_MADE_LIMIT = 2**20
# Operators whose constants ONNX Runtime may rearrange, and whose values it does not ask for as it optimizes.
_REARRANGED = frozenset({"Add", "Conv", "ConvTranspose", "Div", "Gemm", "MatMul", "Mul", "Sub"})
# Fusions that multiply or add two weights where both are unknown numbers; the second try goes without.
_MIXING = ("ConvAddFusion", "ConvMulFusion", "ConvBNFusion", "MatMulAddFusion", "MatmulBNFusion")

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Placement:
    """A weight of the optimized graph: its element i is `scale` times element `index[i]` of `weight`, 0 for -1.

    name:    of the optimized graph's input.
    shape:   of that input.
    weight:  name of the value in the original graph.
    index:   int64 (product of shape,).
    """

    name: str
    shape: tuple[int, ...]
    weight: str
    index: IntArray
    scale: np.float32


@dataclass(frozen=True, slots=True)
class Layout:
    """The optimized graph, with weights as inputs after its first, the image; and where they come from."""

    body: onnx.ModelProto
    placements: tuple[Placement, ...]


def learn_layout(halves: Split, folder: Path) -> Layout:
    """Let ONNX Runtime (CPU) optimize the body of a model.

    `folder`: where the external data of the model lies. Raises CannotPrepareError where the result is not
    understood.
    """
    shapes = halves.shapes()
    fixed = _fixed_weights(halves)
    weights = {name: shapes[name] for name in (*halves.weights, *fixed) if name in shapes}
    kinds = {value.name: value.type.tensor_type.elem_type for value in halves.model.graph.value_info}
    if others := {kinds.get(name, 0) for name in halves.weights} - {onnx.TensorProto.FLOAT}:
        found = ", ".join(sorted(onnx.TensorProto.DataType.Name(kind).lower() for kind in others))
        raise CannotPrepareError(f"weights are of type {found}, float32 is expected")
    if missing := [name for name in halves.weights if name not in weights]:
        raise CannotPrepareError(f"the shape of {missing[0]} is not fixed")
    try:
        return _learn(halves, weights, folder, ())
    except CannotPrepareError:
        return _learn(halves, weights, folder, _MIXING)


def _fixed_weights(halves: Split) -> list[str]:
    """Weights that are the same in all endpoints, of which ONNX Runtime makes its own arrangement as well.

    Those that are stored as less it would convert, and so make constants that have to be found again, too.
    """
    floats = {
        t.name
        for t in halves.model.graph.initializer
        if t.data_type == onnx.TensorProto.FLOAT and any(size > 1 for size in t.dims)
    }
    found = (
        name
        for node in halves.body
        for name in node.input
        if name in halves.widened or (name in floats and node.op_type in _REARRANGED)
    )
    return list(dict.fromkeys(found))


def _learn(halves: Split, weights: dict[str, tuple[int, ...]], folder: Path, disabled: tuple[str, ...]) -> Layout:
    numbered = {name: _Numbered(first, shape) for first, (name, shape) in enumerate(weights.items(), start=2)}
    stored = sum(math.prod(tensor.dims) for tensor in halves.model.graph.initializer)
    if (total := sum(weight.size for weight in numbered.values())) > max(stored, _MADE_LIMIT):
        raise CannotPrepareError(f"of {stored} stored elements {total} of weights are made")
    body = _numbered_body(halves, weights)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    # Held until the session is made: ONNX Runtime keeps addresses only.
    numbers = {name: onnxruntime.OrtValue.ortvalue_from_numpy(n.values()) for name, n in numbered.items()}
    options.add_external_initializers(list(numbers), list(numbers.values()))
    with unfinished_folder() as temporary:
        # Beside the original weights, where those paths would lead elsewhere, nothing may be written.
        optimized_file = temporary / "optimized.onnx"
        options.optimized_model_filepath = str(optimized_file)
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights")
        options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
        onnxruntime.InferenceSession(
            body.SerializeToString(), options, providers=["CPUExecutionProvider"], disabled_optimizers=list(disabled)
        )
        optimized = onnx.load(optimized_file, load_external_data=False)
        constants = {tensor.name: tensor for tensor in body.graph.initializer if tensor.name not in weights}
        by_first = {weight.first: (name, weight) for name, weight in numbered.items()}
        placements, kept = [], []
        for tensor in optimized.graph.initializer:
            values = read_tensor(tensor, Path(temporary))
            known = constants.get(tensor.name)
            unchanged = known is not None and np.array_equal(read_tensor(known, folder), values)
            if unchanged or values.dtype != np.float32:
                kept.append(onnx.numpy_helper.from_array(values, tensor.name))
            else:
                placements.append(_place(tensor.name, values, by_first))
    del optimized.graph.initializer[:]
    optimized.graph.initializer.extend(kept)
    for p in placements:
        optimized.graph.input.append(onnx.helper.make_tensor_value_info(p.name, onnx.TensorProto.FLOAT, p.shape))
    if lost := set(halves.weights) - {p.weight for p in placements}:
        raise CannotPrepareError(f"ONNX Runtime's graph has no place for {sorted(lost)[0]}")
    return Layout(optimized, tuple(placements))


def _numbered_body(halves: Split, weights: dict[str, tuple[int, ...]]) -> onnx.ModelProto:
    graph = halves.model.graph
    image = [value for value in graph.input if value.name != "alpha"]
    rest = (node for node in halves.body if weights.keys().isdisjoint(node.output))
    body = subgraph(halves.model, rest, image, graph.output)
    others = [tensor for tensor in body.graph.initializer if tensor.name not in weights]
    del body.graph.initializer[:]
    body.graph.initializer.extend(others)
    for name, shape in weights.items():
        body.graph.initializer.append(given_tensor(name, shape, onnx.TensorProto.FLOAT))
    return body


@dataclass(frozen=True, slots=True)
class _Numbered:
    """A weight that holds the numbers first, first + 1, ...; `first` is another one for every weight."""

    first: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def values(self) -> npt.NDArray[np.float32]:
        if self.first + self.size > _NUMBERS_LIMIT:
            raise CannotPrepareError(f"a weight of {self.size} elements is too large")
        return np.arange(self.first, self.first + self.size, dtype=np.float32).reshape(self.shape)


def _place(name: str, values: npt.NDArray[np.float32], numbered: Mapping[int, tuple[str, _Numbered]]) -> Placement:
    """Find the weight that the numbers in `values` belong to: all of its elements, each once, and zeros."""
    flat = values.ravel()
    filled = np.flatnonzero(flat)
    numbers = flat[filled].astype(np.float64)
    if len(numbers):
        low, high = sorted((numbers.min(), numbers.max()), key=abs)
        scale = (high - low) / (len(numbers) - 1) if len(numbers) > 1 else 1.0
        first = round(low / scale) if scale else 0
        weight, candidate = numbered.get(first, ("", _Numbered(0, (0,))))
        if candidate.size == len(numbers):
            scale = float(np.float32(high / (first + candidate.size - 1)))
            exact = numbers / scale - first
            found = np.rint(exact).astype(np.int64)
            if np.abs(exact - found).max() < 0.25 and np.bincount(found, minlength=candidate.size).max() == 1:
                index = np.full(flat.size, -1, np.int64)
                index[filled] = found
                return Placement(name, values.shape, weight, index, np.float32(scale))
    raise CannotPrepareError(f"ONNX Runtime mixes weights ({name})")
