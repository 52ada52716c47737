"""Learn in which layout ONNX Runtime wants a network's weights, and get the graph that it makes for them.

ONNX Runtime rearranges constant weights (blocks of channels for the vector units), scales some, and fuses
nodes around them; with computed weights it does none of it, which costs 10 to 60 % of the speed. So it is
given constants to optimize: every weight's elements are codes that tell which weight and which element they
are. Where they are found afterwards is where the weights belong. Nothing here knows ONNX Runtime's formats.

A weight that is not found, because ONNX Runtime multiplied it by another one, added them or made an attribute of it,
is an input of the graph in the next try: something of which ONNX Runtime knows nothing, and that stays what it is.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx.helper import make_tensor_value_info

from dni_runtime.files.unfinished import unfinished_folder
from dni_runtime.onnx_files.external_data import given_tensor, read_tensor
from dni_runtime.providers.cpu_options import PLANS_REUSE
from dni_runtime.weights.split import MOVES, CannotPrepareError, Split, subgraph

from .codes import LIMIT, Coded, Found, Key

# Weights have as many elements as are stored, at most; these few may be spread from less.
_MADE_LIMIT = 2**20
# Operators whose constants ONNX Runtime may rearrange, and whose values it does not ask for as it optimizes.
_REARRANGED = frozenset({"Add", "Conv", "ConvTranspose", "Div", "Gemm", "MatMul", "Mul", "Sub"})
# Operators that are much slower where their weights are not constants.
_KERNELS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})

FloatArray = npt.NDArray[np.float32]
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Placement:
    """A weight of the optimized graph: its element i is `scale` times element `index[i]` of `weight`, `fill` for -1.

    name:    of the optimized graph's input.
    shape:   of that input.
    weight:  name of the value in the original graph.
    index:   int64 (product of shape,).
    """

    name: str
    shape: tuple[int, ...]
    weight: str
    index: npt.NDArray[np.int64]
    scale: np.float32
    fill: float = 0.0

    @classmethod
    def of(cls, name: str, shape: tuple[int, ...], found: Found) -> "Placement":
        return cls(name, shape, found.weight, found.index, found.scale, found.fill)


@dataclass(frozen=True, slots=True)
class Layout:
    """The optimized graph, with weights as inputs after its first, the image; and where they come from."""

    body: onnx.ModelProto
    placements: tuple[Placement, ...]


def learn_layout(halves: Split, folder: Path) -> Layout:
    """Let ONNX Runtime (CPU) optimize the body of a model.

    `folder`: where the external data of the model lies. Raises CannotPrepareError for weights that are not of float32,
    of no fixed shape, too large or too many.
    """
    shapes = halves.shapes()
    weights = {name: shapes[name] for name in (*halves.weights, *_fixed_weights(halves)) if name in shapes}
    _check(halves, weights)
    kernels = _kernels(halves)
    # One element does not tell what it is once it is scaled; as a factor it may become an attribute somewhere.
    inputs = {name for name, shape in weights.items() if math.prod(shape) < 2 and name not in kernels}
    unknown: set[bytes] = set()
    repeated = False
    for seed in itertools.count():
        learnt = _learn(halves, weights, inputs, folder, seed)
        # What other codes do not change is made of constants alone.
        constants = {name: values for name, values in learnt.unknown.items() if values.tobytes() in unknown}
        mixed = learnt.unknown.keys() - constants.keys()
        unknown.update(values.tobytes() for values in learnt.unknown.values())
        found = {placement.weight for placement in learnt.placements}
        lost = set(halves.weights) - found
        lost_constants = weights.keys() - found - lost if mixed else set()
        if not mixed and not lost:
            return learnt.finish(constants)
        if repeated and not lost and not lost_constants:
            lost = weights.keys() - inputs
            if not lost:
                raise CannotPrepareError(f"ONNX Runtime mixes weights ({sorted(mixed)[0]})")
        repeated = not lost and not lost_constants
        inputs |= lost - kernels or lost
        for name in lost_constants:  # among each other ONNX Runtime may mix them
            del weights[name]
    raise AssertionError("every try has a code less, or is the last")


def _check(halves: Split, weights: Shapes) -> None:
    kinds = {value.name: value.type.tensor_type.elem_type for value in halves.model.graph.value_info}
    if others := {kinds.get(name, 0) for name in halves.weights} - {onnx.TensorProto.FLOAT}:
        found = ", ".join(sorted(onnx.TensorProto.DataType.Name(kind).lower() for kind in others))
        raise CannotPrepareError(f"weights are of type {found}, float32 is expected")
    if missing := [name for name in halves.weights if name not in weights]:
        raise CannotPrepareError(f"the shape of {missing[0]} is not fixed")
    sizes = [math.prod(shape) for shape in weights.values()]
    if max(sizes) > LIMIT:
        raise CannotPrepareError(f"a weight of {max(sizes)} elements is too large")
    stored = sum(math.prod(tensor.dims) for tensor in halves.model.graph.initializer)
    if sum(sizes) > max(stored, _MADE_LIMIT):
        raise CannotPrepareError(f"of {stored} stored elements {sum(sizes)} of weights are made")


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


def _kernels(halves: Split) -> set[str]:
    """Values, and what they are rearranged from, that have to be constants where that can be."""
    kernels = {name for node in halves.body if node.op_type in _KERNELS for name in node.input}
    for node in reversed(halves.body):
        if node.op_type in MOVES and not kernels.isdisjoint(node.output):
            kernels.update(node.input[:1])
    return kernels


@dataclass(frozen=True, slots=True)
class _Learnt:
    """A graph without its constants; those that hold no weight, those that do, and those of which that is not clear."""

    graph: onnx.ModelProto
    kept: Mapping[str, npt.NDArray[np.generic]]
    placements: tuple[Placement, ...]
    unknown: Mapping[str, FloatArray]

    def finish(self, constants: Mapping[str, FloatArray]) -> Layout:
        graph = self.graph.graph
        for name, values in {**self.kept, **constants}.items():
            graph.initializer.append(onnx.numpy_helper.from_array(values, name))
        given = {value.name for value in graph.input}
        for p in self.placements:
            if p.name not in given:
                graph.input.append(make_tensor_value_info(p.name, onnx.TensorProto.FLOAT, p.shape))
        return Layout(self.graph, self.placements)


def _learn(halves: Split, weights: Shapes, inputs: set[str], folder: Path, seed: int) -> _Learnt:
    random = np.random.default_rng(seed)
    coded = [Coded.make(name, shape, random) for name, shape in weights.items() if name not in inputs]
    body = _body(halves, weights, inputs)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.enable_mem_reuse = PLANS_REUSE
    # Held until the session is made: ONNX Runtime keeps addresses only.
    numbers = {weight.name: onnxruntime.OrtValue.ortvalue_from_numpy(weight.values) for weight in coded}
    options.add_external_initializers(list(numbers), list(numbers.values()))
    constants = {tensor.name: tensor for tensor in body.graph.initializer if tensor.name not in weights}
    key = Key(coded)
    placements = [_as_it_is(name, weights[name]) for name in weights if name in inputs]
    kept: dict[str, npt.NDArray[np.generic]] = {}
    unknown: dict[str, FloatArray] = {}
    with unfinished_folder() as temporary:
        # Beside the original weights, where those paths would lead elsewhere, nothing may be written.
        optimized_file = temporary / "optimized.onnx"
        options.optimized_model_filepath = str(optimized_file)
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights")
        options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
        onnxruntime.InferenceSession(body.SerializeToString(), options, providers=["CPUExecutionProvider"])
        optimized = onnx.load(optimized_file, load_external_data=False)
        for tensor in optimized.graph.initializer:
            values = read_tensor(tensor, temporary)
            known = constants.get(tensor.name)
            if values.dtype != np.float32 or (known and np.array_equal(read_tensor(known, folder), values)):
                kept[tensor.name] = values
            elif found := key.find(values):
                placements.append(Placement.of(tensor.name, values.shape, found))
            else:
                unknown[tensor.name] = values
    del optimized.graph.initializer[:]
    return _Learnt(optimized, kept, tuple(placements), unknown)


def _body(halves: Split, weights: Shapes, inputs: set[str]) -> onnx.ModelProto:
    """The body with `weights` that are given, those of `inputs` with every call."""
    graph = halves.model.graph
    image = [value for value in graph.input if value.name != "alpha"]
    rest = (node for node in halves.body if weights.keys().isdisjoint(node.output))
    body = subgraph(halves.model, rest, image, graph.output)
    others = [tensor for tensor in body.graph.initializer if tensor.name not in weights]
    del body.graph.initializer[:]
    body.graph.initializer.extend(others)
    for name, shape in weights.items():
        if name in inputs:
            body.graph.input.append(make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
        else:
            body.graph.initializer.append(given_tensor(name, shape, onnx.TensorProto.FLOAT))
    return body


def _as_it_is(name: str, shape: tuple[int, ...]) -> Placement:
    return Placement(name, shape, name, np.arange(math.prod(shape)), np.float32(1))
