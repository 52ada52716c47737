"""Take multiplications by a constant out of a body: the convolution before it gets scaled weights instead.

ONNX Runtime does so for constant weights (ConvMulFusion). Weights that move it leaves alone, so here the caller
multiplies them, once. RRDBNet of 23 blocks, for example, has 69 such multiplications of whole activations.
"""

import math
from collections import Counter

import onnx
from onnx.numpy_helper import to_array

_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
_DOMAINS = ("", "ai.onnx")
# Beyond these float16 would lose bits of a scaled weight, or all of it: its exponents end at 2**-14 and 2**15.
_HALF_SMALLEST, _HALF_LARGEST = 2.0**-5, 2.0**5


def fold_scales(body: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, float]]:
    """A copy of `body` without multiplications that weights can take, and by what each such weight is to be scaled.

    body:  the first graph input is the image, the others are weights.
    """
    model = onnx.ModelProto()
    model.CopyFrom(body)
    graph = model.graph
    weights = {value.name: value.type.tensor_type.elem_type for value in graph.input[1:]}
    scalars = _scalars(graph)
    reads = Counter(name for node in graph.node for name in node.input)
    reads.update(value.name for value in graph.output)
    # Of convolutions whose weights are theirs alone, by the value that they make now.
    open_convolutions: dict[str, onnx.NodeProto] = {}
    factors: dict[str, float] = {}
    dropped = set[int]()
    for index, node in enumerate(graph.node):
        if node.domain not in _DOMAINS:
            continue
        if node.op_type in _CONVOLUTIONS:
            if all(name in weights and reads[name] == 1 for name in node.input[1:] if name):
                open_convolutions[node.output[0]] = node
        elif node.op_type == "Mul":
            for made, scalar in (node.input, reversed(node.input)):
                convolution = open_convolutions.get(made)
                if convolution is None or scalar not in scalars or reads[made] != 1:
                    continue
                scaled = [name for name in convolution.input[1:] if name]
                factor = factors.get(scaled[0], 1.0) * scalars[scalar]
                if not _fits(factor, weights[scaled[0]]):
                    continue
                factors.update(dict.fromkeys(scaled, factor))
                dropped.add(index)
                convolution.output[0] = node.output[0]
                open_convolutions[node.output[0]] = convolution
                break
    kept = [node for index, node in enumerate(graph.node) if index not in dropped]
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input} | {value.name for value in graph.output}
    initializers = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(initializers)
    return model, factors


def _scalars(graph: onnx.GraphProto) -> dict[str, float]:
    """Constants of one element, that add no axis to the output of any convolution: the least has three."""
    return {
        tensor.name: float(to_array(tensor).item())
        for tensor in graph.initializer
        if math.prod(tensor.dims) == 1 and len(tensor.dims) <= 3 and not tensor.external_data
    }


def _fits(factor: float, kind: int) -> bool:
    if kind == onnx.TensorProto.FLOAT16:
        return _HALF_SMALLEST <= abs(factor) <= _HALF_LARGEST
    return math.isfinite(factor) and abs(factor) >= 2.0**-60
