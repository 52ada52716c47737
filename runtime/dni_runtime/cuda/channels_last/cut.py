"""Which nodes run channels-last, of those that can: so that the fewest bytes are transposed, by a minimum cut.

Convolutions are the source of a flow network, what knows no channels-last is its sink, and nodes that can be
either lie between them. A value that one side makes and the other reads is transposed once for all readers.
"""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from itertools import pairwise
from typing import TypeAlias

import onnx

from .forms import Form
from .graph import TO_LAST, Graph, infer

_Side: TypeAlias = int | str
"""A node by its index, one of the two below, or a value's transposition."""
_Capacities: TypeAlias = defaultdict[_Side, Counter[_Side]]

_LAST, _PLAIN = "last", "plain"
# Of what no cut may go through.
_ALWAYS = 2**60
# Of an image without a fixed size.
_ASSUMED_SIZE = 64


def choose(graph: Graph, forms: Mapping[int, Form]) -> set[int]:
    """The nodes that run channels-last."""
    makers, readers = _sides(graph, forms)
    sizes = _sizes_bytes(graph)
    capacity: _Capacities = defaultdict(Counter)
    for value, maker in makers.items():
        users = readers.get(value, set())
        if graph.same_both_ways(value):
            continue
        if maker in (_LAST, _PLAIN) and {_LAST, _PLAIN} <= {maker, *users}:
            continue  # transposed in any case
        for user in users - {maker}:
            if maker != _PLAIN:
                capacity[maker][f"{value} to plain"] = sizes[value]
                capacity[f"{value} to plain"][user] = _ALWAYS
            if maker != _LAST:
                capacity[user][f"{value} to last"] = _ALWAYS
                capacity[f"{value} to last"][maker] = sizes[value]
    chosen = _source_side(capacity)
    return {index for index, form in forms.items() if form.convolves or index in chosen}


def _sides(graph: Graph, forms: Mapping[int, Form]) -> tuple[dict[str, _Side], dict[str, set[_Side]]]:
    """Who makes a value, and who reads it."""
    makers: dict[str, _Side] = {graph.image: _PLAIN}
    readers: dict[str, set[_Side]] = {name: {_PLAIN} for name in graph.outputs}
    for index, node in enumerate(graph.body.graph.node):
        reads: _Side = _PLAIN
        makes: _Side = _PLAIN
        data = list(node.input)
        if form := forms.get(index):
            reads = _LAST if form.convolves else index
            makes = reads if form.keeps else _PLAIN
            data = [node.input[i] for i in form.data]
        elif perm := graph.swap(node):
            reads, makes = (_LAST, _PLAIN) if perm == TO_LAST else (_PLAIN, _LAST)
        for name in data:
            readers.setdefault(name, set()).add(reads)
        makers.update((name, makes) for name in node.output if name)
    return makers, readers


def _sizes_bytes(graph: Graph) -> dict[str, int]:
    """Sizes to compare with each other; of values whose shape no image size tells, the image's."""
    body = onnx.ModelProto()
    body.CopyFrom(graph.body)
    assumed = zip(body.graph.input[0].type.tensor_type.shape.dim, (1, 3, _ASSUMED_SIZE, _ASSUMED_SIZE), strict=False)
    for dim, size in assumed:
        dim.dim_value = dim.dim_value or size
    dims, kinds = infer(body)
    sizes = {}
    for value in (graph.image, *graph.producer):
        shape = dims.get(value, (None,))
        known = dims[graph.image] if None in shape else shape
        kind = kinds.get(value, onnx.TensorProto.FLOAT)
        sizes[value] = math.prod(d or 1 for d in known) * onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize
    return sizes


def _source_side(capacity: _Capacities) -> set[_Side]:
    """What a minimum cut leaves with the source (Edmonds and Karp; takes `capacity` for the rest of it)."""
    while True:
        before: dict[_Side, _Side] = {_LAST: _LAST}
        waiting = deque(before)
        while waiting and _PLAIN not in before:
            side = waiting.popleft()
            for to, left in capacity[side].items():
                if left > 0 and to not in before:
                    before[to] = side
                    waiting.append(to)
        if _PLAIN not in before:
            return set(before)
        path: list[_Side] = [_PLAIN]
        while path[-1] != _LAST:
            path.append(before[path[-1]])
        steps = list(pairwise(reversed(path)))
        flow = min(capacity[a][b] for a, b in steps)
        for a, b in steps:
            capacity[a][b] -= flow
            capacity[b][a] += flow
